//! A ready line to the chosen endpoint.
//!
//! In: [`Chosen`]. Out: a [`RequestLine`] or a [`Pipe`]. An endpoint with an identity is reached over mesh TLS, by one
//! multiplexed connection per worker; one without is dialled plainly. Never: a decision about where to go.

mod dials;
mod http1;
mod mesh;
mod multiplex;
mod pipe;
mod tcp;

use std::{net::SocketAddr, rc::Rc};

use crate::{balance::Chosen, config::Limits, events::HttpVersion, http2::Client, refusal::Refusal, world::World};

pub use dials::Dials;
pub use http1::Http1Line;
pub use pipe::Pipe;

/// A line that takes one request now.
pub enum RequestLine {
    /// A stream of a multiplexed connection; over mesh TLS when `mesh`.
    Http2 {
        /// Ready to take the request.
        client: Client,
        /// Whether the peer is a proxy of the mesh.
        mesh: bool,
    },
    /// An HTTP/1.1 connection that is ours alone until the answer has ended.
    Http1(Http1Line),
}

impl RequestLine {
    /// Whether it leads to a peer proxy.
    pub fn is_mesh(&self) -> bool {
        matches!(self, Self::Http2 { mesh: true, .. })
    }
}

/// A worker's lines to all endpoints.
#[derive(Debug, Default)]
pub struct Lines {
    mesh: multiplex::Pool,
    http2: multiplex::Pool,
    http1: http1::Pool,
}

impl Lines {
    /// Takes back an HTTP/1.1 line whose answer has ended.
    pub fn give_back(&self, line: Http1Line, limits: Limits) {
        self.http1.give_back(line, limits);
    }

    /// Begins nothing new on lines to `endpoint`. What runs there may end.
    pub fn retire(&self, endpoint: SocketAddr) {
        self.mesh.retire(endpoint);
        self.http2.retire(endpoint);
        self.http1.retire(endpoint);
    }
}

/// What a request needs of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The version of HTTP its client spoke.
    Version(HttpVersion),
    /// The extended CONNECT of HTTP/2, or else HTTP/1.1 to say the same in its own way.
    ExtendedConnect,
}

/// A line to the endpoint for a request with such `needs`.
///
/// # Errors
/// Why no line could be had; nothing was sent, so another endpoint may be tried.
pub async fn requests(chosen: &Chosen, needs: Needs, world: &Rc<World>) -> Result<RequestLine, Refusal> {
    let endpoint = chosen.endpoint();
    if world.goes_by_mesh(endpoint) {
        let client = mesh_line(chosen, world).await?;
        return Ok(RequestLine::Http2 { client, mesh: true });
    }
    let http1 = async || world.lines.http1.line(endpoint.address, world).await.map(RequestLine::Http1);
    let http2 = || world.lines.http2.line(endpoint.address, || tcp::multiplexed(endpoint.address, world.clone()));
    match needs {
        Needs::Version(HttpVersion::One) => http1().await,
        Needs::Version(HttpVersion::Two) => Ok(RequestLine::Http2 { client: http2().await?, mesh: false }),
        Needs::ExtendedConnect => match http2().await {
            Ok(client) if multiplex::takes_extended_connect(&client).await => Ok(RequestLine::Http2 { client, mesh: false }),
            _ => http1().await,
        },
    }
}

/// A line for opaque bytes to the endpoint.
///
/// # Errors
/// Why no line could be had; nothing was sent, so another endpoint may be tried.
pub async fn bytes(chosen: &Chosen, world: &Rc<World>) -> Result<Pipe, Refusal> {
    let endpoint = chosen.endpoint();
    if world.goes_by_mesh(endpoint) {
        return mesh::tunnel(&mesh_line(chosen, world).await?, endpoint.address, world).await;
    }
    tcp::dial(endpoint.address, world).await.map(|(stream, dial)| Pipe::server(stream, dial))
}

async fn mesh_line(chosen: &Chosen, world: &Rc<World>) -> Result<Client, Refusal> {
    let endpoint = chosen.endpoint();
    let open = || mesh::connect(endpoint.clone(), world.clone());
    world.lines.mesh.line(endpoint.address, open).await
}
