//! What a case is: bytes, and what may become of them.

use crate::exchange::{APART, PATIENT, Sequence};

/// A request, as somebody read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub method: String,
    pub target: String,
    pub host: String,
    pub body: String,
}

impl Read {
    /// As it takes effect: an absolute target says the same as a path and a host do, and port 80 goes without saying.
    pub fn new(method: &str, target: &str, host: &str, body: &str) -> Self {
        let absolute = target.split_once("://").filter(|(scheme, _)| scheme.bytes().all(|byte| byte.is_ascii_alphabetic()));
        let (target, host) = match absolute {
            Some((_, rest)) => {
                let (host, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                let path = match rest {
                    "" if method == "OPTIONS" => String::from("*"),
                    _ if rest.starts_with('/') => rest.to_owned(),
                    _ => format!("/{rest}"),
                };
                (path, host)
            }
            None => (target.to_owned(), host),
        };
        let host = host.strip_suffix(":80").unwrap_or(host).to_owned();
        Self { method: method.to_owned(), target, host, body: body.to_owned() }
    }
}

/// Bytes that a client sends. A marker follows them at once: `GET /sentinel`.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub bytes: Vec<u8>,
    pub must: Must,
    /// Backends that refuse such a request whoever sends it.
    pub except: &'static [&'static str],
}

/// What must become of the bytes.
#[derive(Clone, Debug)]
pub enum Must {
    /// Every backend reads these requests, and then the marker.
    Pass(Vec<Read>),
    /// Every backend reads these requests, and nothing behind them: the last one ends the connection.
    PassAndClose(Vec<Read>),
    /// Either of the two that follow from `Pass` and `Refuse`. Which one is a matter of taste.
    PassOrRefuse(Vec<Read>),
    /// These requests pass; what follows is refused, and nothing of it reaches a backend.
    RefuseAfter(Vec<Read>),
    /// A head may reach a backend before its body turns out to be malformed. The whole request never does.
    BreakOff,
    /// The marker is part of the body, of which more never comes. Nobody reads a whole request.
    Wait,
}

pub const SENTINEL: &str = "/sentinel";

impl Case {
    fn new(name: &str, bytes: impl AsRef<[u8]>, must: Must) -> Self {
        Self { name: name.to_owned(), bytes: bytes.as_ref().to_owned(), must, except: &[] }
    }

    pub fn pass(name: &str, bytes: impl AsRef<[u8]>, reads: &[Read]) -> Self {
        Self::new(name, bytes, Must::Pass(reads.to_vec()))
    }

    pub fn pass_and_close(name: &str, bytes: impl AsRef<[u8]>, reads: &[Read]) -> Self {
        Self::new(name, bytes, Must::PassAndClose(reads.to_vec()))
    }

    pub fn pass_or_refuse(name: &str, bytes: impl AsRef<[u8]>, reads: &[Read]) -> Self {
        Self::new(name, bytes, Must::PassOrRefuse(reads.to_vec()))
    }

    pub fn refuse(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        Self::new(name, bytes, Must::RefuseAfter(Vec::new()))
    }

    pub fn refuse_after(name: &str, bytes: impl AsRef<[u8]>, reads: &[Read]) -> Self {
        Self::new(name, bytes, Must::RefuseAfter(reads.to_vec()))
    }

    pub fn break_off(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        Self::new(name, bytes, Must::BreakOff)
    }

    pub fn wait(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        Self::new(name, bytes, Must::Wait)
    }

    /// The same, for all backends but these.
    pub fn except(self, backends: &'static [&'static str]) -> Self {
        Self { except: backends, ..self }
    }

    /// What is sent to `services`, in these `pieces`.
    pub fn sequence(&self, services: &[&'static str], pieces: Vec<Vec<u8>>) -> Sequence {
        let patience = if matches!(self.must, Must::Wait) { 0.3 } else { PATIENT };
        Sequence { services: services.to_vec(), pieces, pause: APART, until: format!("answer to GET {SENTINEL}\n"), patience }
    }

    /// Everything that is sent as the sequence of that number: the marker last.
    pub fn sent(&self, number: usize) -> Vec<u8> {
        [&self.tagged(number)[..], format!("GET {SENTINEL} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()].concat()
    }

    /// How many bytes are sent before the marker.
    pub fn length(&self) -> usize {
        self.tagged(0).len()
    }

    /// The bytes, with a field that tells whose the first request is, of the same length for every number. A head that was
    /// broken off may arrive when the next case is under way already. Requests that do not begin as the usual ones are as
    /// they are: they are about that, and no backend reads them unless they are answered.
    fn tagged(&self, number: usize) -> Vec<u8> {
        let usual = format!(" /x HTTP/1.1\r\nHost: {HOST}");
        let line = self.bytes.iter().position(|byte| *byte == b' ').unwrap_or_default();
        let (method, rest) = self.bytes.split_at(line);
        if method.contains(&b'\n') || !rest.starts_with(usual.as_bytes()) {
            return self.bytes.clone();
        }
        let (target, rest) = rest.split_at(" /x HTTP/1.1\r\n".len());
        [method, target, format!("X-Case: {number:05}\r\n").as_bytes(), rest].concat()
    }
}

/// The host that cases name, unless they are about that.
pub const HOST: &str = "shop.test";

/// `GET /x` with these fields, each with its own end of line.
pub fn get(fields: impl AsRef<[u8]>) -> Vec<u8> {
    request("GET", fields, "")
}

/// `POST /x` with these fields and this body.
pub fn post(fields: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> Vec<u8> {
    request("POST", fields, body)
}

/// A request of `/x` at the usual host.
pub fn request(method: &str, fields: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> Vec<u8> {
    let line = format!("{method} /x HTTP/1.1\r\nHost: {HOST}\r\n");
    [line.as_bytes(), fields.as_ref(), b"\r\n", body.as_ref()].concat()
}

/// How `get` is read.
pub fn got() -> Read {
    read("GET", "/x", "")
}

/// How `post` is read.
pub fn posted(body: &str) -> Read {
    read("POST", "/x", body)
}

/// A request to the usual host.
pub fn read(method: &str, target: &str, body: &str) -> Read {
    read_at(HOST, method, target, body)
}

pub fn read_at(host: &str, method: &str, target: &str, body: &str) -> Read {
    Read::new(method, target, host, body)
}
