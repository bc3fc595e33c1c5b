//! What an app answers, and what its client may be told.

mod bodies;
mod good;
mod heads;

use crate::case::HOST;

/// An answer, and what must become of it.
#[derive(Clone, Debug)]
pub struct Lie {
    pub name: String,
    pub asked: Asked,
    pub pieces: Vec<Vec<u8>>,
    /// Whether the app closes the connection behind it.
    pub close: bool,
    pub must: Must,
}

/// The request that is answered so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Get,
    Head,
    /// In HTTP/1.0, which knows neither chunks nor interim answers.
    Old,
    /// With a body of which half is missing: nobody knows where the next request begins.
    Unfinished,
}

impl Asked {
    pub fn method(self) -> &'static str {
        match self {
            Self::Get | Self::Old => "GET",
            Self::Head => "HEAD",
            Self::Unfinished => "POST",
        }
    }

    /// The request itself, of `target`.
    pub fn request(self, target: &str) -> String {
        let (version, rest) = match self {
            Self::Get | Self::Head => ("1.1", "\r\n"),
            Self::Old => ("1.0", "\r\n"),
            Self::Unfinished => ("1.1", "Content-Length: 1000\r\n\r\nhalf"),
        };
        format!("{} {target} HTTP/{version}\r\nHost: {HOST}\r\n{rest}", self.method())
    }
}

/// What must become of an answer. The answer to the next request is that request's own in any case.
#[derive(Clone, Debug)]
pub enum Must {
    /// The client reads this status and this body.
    Pass(u16, Vec<u8>),
    /// The same, and the connection ends with it.
    PassAndClose(u16, Vec<u8>),
    /// The first of these, or the proxy's 502.
    PassOrRefuse(u16, Vec<u8>),
    /// The proxy answers 502 in its place.
    Refuse,
    /// Its head may have gone to the client before its body turned out to be malformed. Then it breaks off.
    BreakOff,
}

impl Lie {
    fn new(name: &str, bytes: impl AsRef<[u8]>, must: Must) -> Self {
        Self { name: name.to_owned(), asked: Asked::Get, pieces: vec![bytes.as_ref().to_owned()], close: false, must }
    }

    fn pass(name: &str, bytes: impl AsRef<[u8]>, status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::new(name, bytes, Must::Pass(status, body.as_ref().to_owned()))
    }

    fn pass_and_close(name: &str, bytes: impl AsRef<[u8]>, status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::new(name, bytes, Must::PassAndClose(status, body.as_ref().to_owned()))
    }

    fn pass_or_refuse(name: &str, bytes: impl AsRef<[u8]>, status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::new(name, bytes, Must::PassOrRefuse(status, body.as_ref().to_owned()))
    }

    fn refuse(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        Self::new(name, bytes, Must::Refuse)
    }

    fn break_off(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        Self::new(name, bytes, Must::BreakOff)
    }

    fn to(self, asked: Asked) -> Self {
        Self { asked, ..self }
    }

    fn and_close(self) -> Self {
        Self { close: true, ..self }
    }

    /// Followed by more bytes, a little later.
    fn then(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.pieces.push(bytes.as_ref().to_owned());
        self
    }

    /// All of it.
    pub fn bytes(&self) -> Vec<u8> {
        self.pieces.concat()
    }
}

/// All of them.
pub fn all() -> Vec<Lie> {
    [good::lies(), heads::lies(), bodies::lies()].concat()
}

/// A good head with these fields.
fn ok(fields: impl AsRef<[u8]>) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\n", fields.as_ref(), b"\r\n"].concat()
}

/// A good answer with more fields and the body `hello`.
fn hello(fields: impl AsRef<[u8]>) -> Vec<u8> {
    [ok([b"Content-Length: 5\r\n", fields.as_ref()].concat()).as_slice(), b"hello"].concat()
}

/// An answer in chunks.
fn chunked(body: impl AsRef<[u8]>) -> Vec<u8> {
    [ok("Transfer-Encoding: chunked\r\n").as_slice(), body.as_ref()].concat()
}
