//! Who asks, and for what, as far as policies look at it. What takes work to find out is found out once, if anybody wants to know.

use std::cell::OnceCell;

use http::{HeaderMap, HeaderName, header::HOST, uri::Authority};

use super::{
    reading::{self, Readings},
    text::{self, Case},
    truth::{self, Truth},
};
use crate::{
    route::{Asked, Caller},
    snapshot::{PathText, Rule, Text, What, Who},
};

pub(super) struct Question<'a> {
    caller: &'a Caller,
    port: u16,
    asked: Option<Asked<'a>>,
    identity: OnceCell<Option<String>>,
    readings: OnceCell<Readings>,
}

impl<'a> Question<'a> {
    pub(super) fn new(caller: &'a Caller, port: u16, asked: Option<Asked<'a>>) -> Self {
        Self { caller, port, asked, identity: OnceCell::new(), readings: OnceCell::new() }
    }

    /// Whether `rule` is about it.
    pub(super) fn truth(&self, rule: &Rule) -> Truth {
        let who = truth::of(&rule.who, &mut |who| self.who(who));
        if who == Truth::No { who } else { who.min(truth::of(&rule.what, &mut |what| self.what(what))) }
    }

    fn who(&self, condition: &Who) -> Truth {
        match condition {
            Who::Proved => self.caller.identity.is_some().into(),
            Who::Identity(wanted) => match self.identity() {
                Some(identity) => text::is_of(wanted, identity.as_bytes(), Case::Kept).into(),
                None => Truth::Unknown,
            },
            Who::Source(block) => block.holds(self.caller.address.ip()).into(),
        }
    }

    fn identity(&self) -> Option<&str> {
        let written = || self.caller.identity.as_ref().map(ToString::to_string);
        self.identity.get_or_init(written).as_deref()
    }

    fn what(&self, condition: &What) -> Truth {
        match (condition, self.asked) {
            (What::Port(port), _) => (*port == self.port).into(),
            (_, None) => Truth::Unknown,
            (What::Method(wanted), Some(asked)) => text::is_of(wanted, asked.method.as_str().as_bytes(), Case::Kept).into(),
            (What::Host(wanted), Some(asked)) => host(wanted, asked),
            (What::Header(name, wanted), Some(asked)) => header(name, wanted.as_ref(), asked.headers),
            (What::Path(wanted), Some(asked)) => self.path(wanted, asked.path()),
        }
    }

    /// Whether all readings of the path are of those that are wanted. A server may pass over the case of letters, too.
    fn path(&self, wanted: &PathText, path: &str) -> Truth {
        let of = |reading: &[u8]| {
            if text::is_path_of(wanted, reading, Case::Kept) {
                Truth::Yes
            } else if text::is_path_of(wanted, reading, Case::Ignored) {
                Truth::Unknown
            } else {
                Truth::No
            }
        };
        if reading::is_plain(path) {
            return of(path.as_bytes());
        }
        let readings = self.readings.get_or_init(|| reading::of(path));
        Truth::of_readings(readings.iter().map(|reading| of(reading)))
    }
}

/// Who is asked, without a port: by the request's target, and by its field. If those are two, neither is certain.
fn host(wanted: &Text, asked: Asked<'_>) -> Truth {
    let of_target = asked.uri.authority().map(|authority| Some(authority.clone()));
    let of_fields = asked.headers.get_all(HOST).iter().map(|value| Authority::try_from(value.as_bytes()).ok());
    let hosts = of_target.into_iter().chain(of_fields);
    Truth::of_readings(hosts.map(|host| match host {
        Some(host) => {
            let host = host.host().to_ascii_lowercase();
            text::is_of(wanted, host.strip_suffix('.').unwrap_or(&host).as_bytes(), Case::Kept).into()
        }
        None => Truth::Unknown,
    }))
}

/// Whether a field is there with such a value. Of several values one server takes the first and another the last.
fn header(name: &HeaderName, wanted: Option<&Text>, headers: &HeaderMap) -> Truth {
    let Some(wanted) = wanted else { return headers.contains_key(name).into() };
    if !headers.contains_key(name) {
        return Truth::No;
    }
    Truth::of_readings(headers.get_all(name).iter().map(|value| text::is_of(wanted, value.as_bytes(), Case::Kept).into()))
}
