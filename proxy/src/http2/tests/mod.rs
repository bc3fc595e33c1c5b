//! Whole connections: two ends and what lies between them.

mod driver;
mod given_up;
mod noise;
mod pair;
mod properties;
mod tcp;

use std::task::{Context, Waker};

use http::{Request, response};

use super::Ours;

/// What both ends take, unless a test says otherwise.
const OURS: Ours = Ours {
    stream_window: 65_535,
    connection_window: 65_535,
    frame_max: 16_384,
    head_bytes: 16 * 1024,
    streams: 100,
    shared: true,
};

/// A look that nobody waits for.
fn look() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn asked() -> Request<()> {
    Request::post("http://server/path").body(()).expect("a request")
}

fn answered() -> response::Parts {
    http::Response::new(()).into_parts().0
}
