//! To whom a request belongs, where a key decides on its endpoint.

use std::{fmt::Write as _, net::IpAddr};

use http::{HeaderValue, header::COOKIE};

use super::{Asked, Caller};
use crate::{dice::Dice, hashing::hash, snapshot::KeyPart};

/// A request's key, and the cookie that is made for the next ones to have the same.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) hash: u64,
    pub(super) cookie: Option<Box<HeaderValue>>,
}

impl Key {
    /// Made of the first of `parts` that a request has, or else of who calls.
    pub(super) fn of(parts: &[KeyPart], asked: Asked<'_>, caller: &Caller, dice: &Dice) -> Self {
        let found = parts.iter().find_map(|part| match part {
            KeyPart::Header(name) => asked.headers.get(name).map(|value| Self::from(value.as_bytes())),
            KeyPart::Cookie { name, time } => {
                let known = cookie(asked, name).map(Self::from);
                known.or_else(|| time.and_then(|time| Self::made(name, time.as_secs(), dice)))
            }
            KeyPart::Source => Some(Self::source(caller.address.ip())),
        });
        found.unwrap_or_else(|| Self::source(caller.address.ip()))
    }

    /// Made of an address.
    pub(super) fn source(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::from(&address.octets()[..]),
            IpAddr::V6(address) => Self::from(&address.octets()[..]),
        }
    }

    /// Made up, for a client that keeps it for so many seconds; until it forgets, where that is none.
    fn made(name: &str, seconds: u64, dice: &Dice) -> Option<Self> {
        let value = format!("{:016x}", dice.roll(usize::MAX));
        let mut cookie = format!("{name}={value}; Path=/; HttpOnly");
        if seconds > 0 {
            // Writing to a string does not fail.
            let _ = write!(cookie, "; Max-Age={seconds}");
        }
        let cookie = HeaderValue::try_from(cookie).ok()?;
        Some(Self { cookie: Some(Box::new(cookie)), ..Self::from(value.as_bytes()) })
    }
}

impl From<&[u8]> for Key {
    fn from(text: &[u8]) -> Self {
        Self { hash: hash(text), cookie: None }
    }
}

/// The value of a request's first cookie of this name. Clients may write them in several fields (RFC 9113, section 8.2.3).
fn cookie<'a>(asked: Asked<'a>, name: &str) -> Option<&'a [u8]> {
    let fields = asked.headers.get_all(COOKIE).into_iter();
    let pairs = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Request;

    use super::*;

    fn key(parts: &[KeyPart], headers: &[(&str, &str)]) -> Key {
        let request = headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
        let caller = Caller { address: "10.77.0.9:4711".parse().unwrap(), identity: None };
        Key::of(parts, Asked::of(&request.body(()).unwrap()), &caller, &Dice::new(7))
    }

    fn session(time: Option<u64>) -> KeyPart {
        KeyPart::Cookie { name: "session".into(), time: time.map(Duration::from_secs) }
    }

    #[test]
    fn the_first_that_a_request_has_counts() {
        let parts = [KeyPart::Header("x-user".parse().unwrap()), session(None), KeyPart::Source];
        let source = Key::source("10.77.0.9".parse().unwrap()).hash;
        let cookies = [("cookie", "a=b; session=s1"), ("cookie", "session=s2")];
        assert_eq!(key(&parts, &[("x-user", "u"), cookies[0]]).hash, hash(b"u"));
        assert_eq!(key(&parts, &cookies).hash, hash(b"s1"));
        assert_eq!(key(&parts, &[("cookie", "sessions=s1")]).hash, source);
        assert_eq!(key(&[], &[]).hash, source);
    }

    #[test]
    fn a_cookie_is_made_for_whoever_has_none() {
        for (seconds, end) in [(0, "; Path=/; HttpOnly"), (3600, "; Path=/; HttpOnly; Max-Age=3600")] {
            let made = key(&[session(Some(seconds))], &[]);
            let cookie = made.cookie.as_deref().unwrap().to_str().unwrap();
            let pair = cookie.strip_suffix(end).unwrap();
            let next = key(&[session(Some(seconds))], &[("cookie", pair)]);
            assert!(next.hash == made.hash && next.cookie.is_none());
        }
    }
}
