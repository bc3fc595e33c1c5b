//! Which endpoint a client stays with, as its requests and their answers tell it.
//!
//! The client keeps all of it: a token says which endpoint, and since when, where that matters. So no proxy has to remember
//! anything, and all of them agree. A token chooses among the endpoints of its route and never beyond them: whoever forges one gets
//! what he could have been given anyway.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue,
    header::{COOKIE, SET_COOKIE},
};

use crate::snapshot::{Backend, Cluster, Session, ToldBy};

/// A client that stays with an endpoint, or will.
#[derive(Clone, Debug)]
pub struct Stay<'a> {
    session: &'a Session,
    /// What the client told, as long as that holds.
    told: Option<Token>,
    now: u64,
}

/// What a client keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token {
    endpoint: SocketAddr,
    /// When the session began, and when it was last used, in Unix seconds.
    times: Option<(u64, u64)>,
}

impl<'a> Stay<'a> {
    /// What the headers of a request tell. What means nothing, or is over, is not told.
    pub(super) fn read(session: &'a Session, headers: &HeaderMap, now: SystemTime) -> Self {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let told = match &session.told_by {
            ToldBy::Header(name) => headers.get(name).and_then(|value| Token::read(value.as_bytes())),
            ToldBy::Cookie { name, .. } => cookie(headers, name).and_then(Token::read),
        };
        Self { session, told: told.filter(|told| told.holds(session, now)), now }
    }

    /// The endpoint that the client stays with; `None` for a new client.
    pub fn endpoint(&self) -> Option<SocketAddr> {
        self.told.map(|told| told.endpoint)
    }

    /// The one of `backends` whose endpoint that is, whatever it weighs. `None` when it has gone, or is going.
    pub(super) fn backend<'b>(&self, backends: &'b [Backend<Arc<Cluster>>]) -> Option<&'b Backend<Arc<Cluster>>> {
        let address = self.endpoint()?;
        let has = |cluster: &Cluster| cluster.endpoints.iter().any(|endpoint| endpoint.address == address && !endpoint.draining);
        backends.iter().find(|backend| backend.cluster.as_deref().is_some_and(has))
    }

    /// Tells the client, beside its answer from `endpoint`, what to tell next time, where that is news.
    pub fn tell(&self, headers: &mut HeaderMap, endpoint: SocketAddr) {
        let same = self.told.filter(|told| told.endpoint == endpoint);
        if same.is_some() && self.session.idle.is_none() {
            return;
        }
        let begun = same.and_then(|told| told.times).map_or(self.now, |(begun, _)| begun);
        let is_timed = self.session.absolute.is_some() || self.session.idle.is_some();
        let token = Token { endpoint, times: is_timed.then_some((begun, self.now)) }.written();
        let (name, text) = match &self.session.told_by {
            ToldBy::Header(name) => (name.clone(), token),
            ToldBy::Cookie { name, attributes, permanent } => {
                let left = self
                    .session
                    .absolute
                    .filter(|_| *permanent)
                    .map(|lasts| begun.saturating_add(lasts.as_secs()).saturating_sub(self.now));
                let age = left.map_or_else(String::new, |left| format!("; Max-Age={left}"));
                (SET_COOKIE, format!("{name}={token}{attributes}{age}"))
            }
        };
        let Ok(value) = HeaderValue::try_from(text) else { return };
        if name == SET_COOKIE {
            headers.append(name, value);
        } else {
            headers.insert(name, value);
        }
    }
}

impl Token {
    /// As Envoy writes it, and after that the times, which Envoy has no place for.
    fn written(self) -> String {
        STANDARD.encode(match self.times {
            None => self.endpoint.to_string(),
            Some((begun, used)) => format!("{} {begun} {used}", self.endpoint),
        })
    }

    fn read(text: &[u8]) -> Option<Self> {
        let read = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
        let mut parts = read.split(' ');
        let endpoint = parts.next()?.parse().ok()?;
        let times = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => None,
            (Some(begun), Some(used), None) => Some((begun.parse().ok()?, used.parse().ok()?)),
            _ => return None,
        };
        Some(Self { endpoint, times })
    }

    /// Whether the session is not over. One whose times nobody told would have no end.
    fn holds(self, session: &Session, now: u64) -> bool {
        let is_within = |since: fn((u64, u64)) -> u64, limit: Option<Duration>| match (limit, self.times) {
            (None, _) => true,
            (Some(limit), Some(times)) => now.saturating_sub(since(times)) <= limit.as_secs(),
            (Some(_), None) => false,
        };
        is_within(|(begun, _)| begun, session.absolute) && is_within(|(_, used)| used, session.idle)
    }
}

/// The value of a cookie (RFC 6265, section 4.2.1).
fn cookie<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h [u8]> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        let value = pair.strip_prefix(wanted.as_bytes())?.strip_prefix(b"=")?;
        Some(value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value))
    });
    values.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: &str = "10.77.0.5:8080";

    fn by_cookie(absolute: Option<u64>, idle: Option<u64>, permanent: bool) -> Session {
        let time = |seconds: Option<u64>| seconds.map(Duration::from_secs);
        Session { told_by: ToldBy::cookie("stay", "/", permanent).unwrap(), absolute: time(absolute), idle: time(idle) }
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// What is told at a time beside an answer from `endpoint` to whoever told `cookie`.
    fn told(session: &Session, cookie: Option<&str>, seconds: u64, endpoint: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.extend(cookie.map(|cookie| (COOKIE, HeaderValue::try_from(cookie).unwrap())));
        let stay = Stay::read(session, &headers, at(seconds));
        let mut answer = HeaderMap::new();
        stay.tell(&mut answer, endpoint.parse().unwrap());
        answer.get(SET_COOKIE).map(|value| value.to_str().unwrap().to_owned())
    }

    fn stays(session: &Session, cookie: &str, seconds: u64) -> bool {
        let headers = [(COOKIE, HeaderValue::try_from(cookie).unwrap())].into_iter().collect();
        Stay::read(session, &headers, at(seconds)).endpoint() == Some(ENDPOINT.parse().unwrap())
    }

    /// The pair that a client sends back.
    fn pair(told: &str) -> &str {
        told.split(';').next().unwrap()
    }

    #[test]
    fn a_client_is_told_once_with_whom_it_stays() {
        let session = by_cookie(None, None, false);
        let first = told(&session, None, 100, ENDPOINT).unwrap();
        assert_eq!(first, "stay=MTAuNzcuMC41OjgwODA=; Path=/; HttpOnly");
        assert!(stays(&session, pair(&first), 1_000_000));
        assert!(stays(&session, &format!("a=b; {}", pair(&first)), 100));
        assert_eq!(told(&session, Some(pair(&first)), 200, ENDPOINT), None);
        assert!(told(&session, Some(pair(&first)), 200, "10.77.0.6:8080").is_some(), "the endpoint has changed");
    }

    #[test]
    fn a_session_ends_when_its_time_is_over_or_it_was_left_alone() {
        let session = by_cookie(Some(100), Some(10), false);
        let first = told(&session, None, 1000, ENDPOINT).unwrap();
        assert!(stays(&session, pair(&first), 1010) && !stays(&session, pair(&first), 1011));
        let mut last = first;
        for now in (1010..=1100).step_by(10) {
            assert!(stays(&session, pair(&last), now), "{now}");
            last = told(&session, Some(pair(&last)), now, ENDPOINT).unwrap();
        }
        assert!(!stays(&session, pair(&last), 1101), "however it is used");
    }

    #[test]
    fn a_permanent_cookie_lasts_as_long_as_the_session() {
        let session = by_cookie(Some(60), Some(30), true);
        let first = told(&session, None, 1000, ENDPOINT).unwrap();
        assert!(first.ends_with("; Max-Age=60"), "{first}");
        assert!(told(&session, Some(pair(&first)), 1020, ENDPOINT).unwrap().ends_with("; Max-Age=40"));
    }

    #[test]
    fn what_means_nothing_is_a_new_client() {
        let timed = by_cookie(Some(60), None, false);
        let encoded = |text: &str| format!("stay={}", STANDARD.encode(text));
        for forged in [
            "stay=",
            "stay=%%%",
            "stayed=MTAuNzcuMC41OjgwODA=",
            &encoded("cart"),
            &encoded("10.77.0.5:8080 1"),
            &encoded(ENDPOINT),
        ] {
            assert!(!stays(&timed, forged, 1), "{forged}");
        }
        assert!(stays(&timed, &encoded("10.77.0.5:8080 1 1"), 1));
        let from_the_end_of_time = encoded(&format!("{ENDPOINT} {0} {0}", u64::MAX));
        assert!(told(&by_cookie(Some(60), Some(30), true), Some(&from_the_end_of_time), 1, ENDPOINT).is_some());
    }

    #[test]
    fn a_header_tells_it_in_both_directions() {
        let session = Session { told_by: ToldBy::Header("x-stay".parse().unwrap()), absolute: None, idle: None };
        let mut answer = HeaderMap::new();
        Stay::read(&session, &HeaderMap::new(), at(1)).tell(&mut answer, ENDPOINT.parse().unwrap());
        assert_eq!(Stay::read(&session, &answer, at(2)).endpoint(), Some(ENDPOINT.parse().unwrap()));
    }
}
