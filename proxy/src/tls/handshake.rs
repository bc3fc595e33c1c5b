//! The handshake, which rustls makes, and what it leaves behind.

use std::{io, ops::Deref, sync::Arc};

use bytes::BytesMut;
use rustls::{
    ClientConfig, CommonState, Error, ExtractedSecrets, ServerConfig,
    client::UnbufferedClientConnection,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, EncodeError, EncodeTlsData, InsufficientSizeError, UnbufferedStatus},
};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::{
    MeshTls,
    record::{self, Alert},
    session::{Keys, Session},
};

/// Room for one read: all that one side says at once, as a rule.
const READ: usize = 4096;

/// Bytes that may wait for the end of a message. A chain of certificates is by far the largest, and rustls takes 64 KiB of it.
const INPUT_MAX: usize = 96 * 1024;

/// The client's side, toward a server called `name`.
///
/// # Errors
/// The socket's, or rustls' inside of one.
pub async fn connect(stream: TcpStream, config: Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<MeshTls> {
    let side = UnbufferedClientConnection::new(config, name).map_err(io::Error::other)?;
    shake(stream, side, Vec::new()).await
}

/// The server's side, of which `seen` was read already.
///
/// # Errors
/// The socket's, or rustls' inside of one.
pub async fn accept(stream: TcpStream, config: Arc<ServerConfig>, seen: &[u8]) -> io::Result<MeshTls> {
    let side = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
    shake(stream, side, seen.to_vec()).await
}

/// Either side: rustls has two types for them.
pub(super) trait Side: Deref<Target: Deref<Target = CommonState>> {
    type Data;

    fn process<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;

    fn leave(self) -> Result<(ExtractedSecrets, Box<dyn Keys>), Error>;
}

impl Side for UnbufferedClientConnection {
    type Data = rustls::client::ClientConnectionData;

    fn process<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(input)
    }

    fn leave(self) -> Result<(ExtractedSecrets, Box<dyn Keys>), Error> {
        self.dangerous_into_kernel_connection().map(|(secrets, keys)| (secrets, Box::new(keys) as Box<dyn Keys>))
    }
}

impl Side for UnbufferedServerConnection {
    type Data = rustls::server::ServerConnectionData;

    fn process<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(input)
    }

    fn leave(self) -> Result<(ExtractedSecrets, Box<dyn Keys>), Error> {
        self.dangerous_into_kernel_connection().map(|(secrets, keys)| (secrets, Box::new(keys) as Box<dyn Keys>))
    }
}

/// Makes the handshake on `stream`.
async fn shake<S: Side>(mut stream: TcpStream, side: S, input: Vec<u8>) -> io::Result<MeshTls> {
    let mut shaking = Shaking { side, input, out: Vec::new(), early: BytesMut::new() };
    loop {
        let step = shaking.step();
        while !shaking.out.is_empty() {
            stream.writable().await?;
            match stream.try_write(&shaking.out) {
                Ok(written) => drop(shaking.out.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // What the peer did wrong says more than that it has gone.
                Err(error) => return Err(step.err().map_or(error, io::Error::other)),
            }
        }
        if step.map_err(io::Error::other)? {
            return shaking.leave().map(|left| MeshTls::new(stream, left)).map_err(io::Error::other);
        }
        if shaking.input.len() > INPUT_MAX {
            return Err(io::Error::other(Error::General(String::from("the peer's handshake is too long"))));
        }
        shaking.input.reserve(READ);
        if stream.read_buf(&mut shaking.input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// A handshake under way.
pub(super) struct Shaking<S> {
    pub(super) side: S,
    /// What was read and not used yet.
    pub(super) input: Vec<u8>,
    /// What waits to be written.
    pub(super) out: Vec<u8>,
    /// Data that came with the peer's last message.
    pub(super) early: BytesMut,
}

impl<S: Side> Shaking<S> {
    /// Goes on as far as it can. Says whether the handshake is done; otherwise more has to be read.
    pub(super) fn step(&mut self) -> Result<bool, Error> {
        loop {
            let UnbufferedStatus { mut discard, state } = self.side.process(&mut self.input);
            let mut done = None;
            match state {
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, &mut self.out)?,
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::ReadTraffic(mut data)) => {
                    while let Some(record) = data.next_record() {
                        let record = record?;
                        discard += record.discard;
                        self.early.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::BlockedHandshake) => done = Some(false),
                Ok(ConnectionState::WriteTraffic(_)) => done = Some(true),
                Ok(_) => return Err(Error::General(String::from("the peer ended its handshake"))),
                Err(error) => {
                    self.input.drain(..discard);
                    self.last_words();
                    return Err(error);
                }
            }
            self.input.drain(..discard);
            if let Some(done) = done {
                return Ok(done && !self.side.is_handshaking());
            }
        }
    }

    /// Lets rustls tell the peer what is wrong.
    fn last_words(&mut self) {
        // While it has something to say it looks at nothing that was read.
        while self.side.wants_write() {
            let Ok(ConnectionState::EncodeTlsData(data)) = self.side.process(&mut self.input).state else { return };
            if encode(data, &mut self.out).is_err() {
                return;
            }
        }
    }

    /// What is left of it once it is done.
    pub(super) fn leave(self) -> Result<Left, Error> {
        let Self { side, input, early, .. } = self;
        // Only the beginning of a record may be left: of anything else rustls has opened a part in place.
        if !matches!(record::split(&input), Ok(None)) {
            return Err(Error::General(String::from("the peer's handshake ends in the middle of a message")));
        }
        let agreed = side.alpn_protocol().map(Box::from);
        let shown = side.peer_certificates().unwrap_or_default();
        let shown = shown.iter().map(|certificate| certificate.clone().into_owned()).collect();
        let (secrets, keys) = side.leave()?;
        let session = Session::new(secrets, keys).map_err(|alert: Alert| Error::General(alert.to_string()))?;
        Ok(Left { session, agreed, shown, partial: input, early })
    }
}

/// What a handshake leaves behind.
pub(super) struct Left {
    pub(super) session: Session,
    /// The application protocol that both ends agreed on (RFC 7301).
    pub(super) agreed: Option<Box<[u8]>>,
    /// With which the peer has proved who it is: its own certificate first.
    pub(super) shown: Vec<CertificateDer<'static>>,
    /// The beginning of a record.
    pub(super) partial: Vec<u8>,
    /// Data that came with the peer's last message.
    pub(super) early: BytesMut,
}

/// Appends a message to `out`.
fn encode<Data>(mut data: EncodeTlsData<'_, Data>, out: &mut Vec<u8>) -> Result<(), Error> {
    let failed = |error: EncodeError| Error::General(error.to_string());
    let begin = out.len();
    match data.encode(&mut []) {
        Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
            out.resize(begin + required_size, 0);
            data.encode(&mut out[begin..]).map(drop).map_err(failed)
        }
        encoded => encoded.map(drop).map_err(failed),
    }
}
