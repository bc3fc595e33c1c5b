//! What becomes of requests, for whoever holds it against another opinion (`cli/tests`).

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use http::{HeaderMap, Request, Response, StatusCode};

use crate::{
    clock,
    dice::Dice,
    feed,
    refusal::Refusal,
    relay,
    route::{self, Asked, Caller, Elsewhere, Way},
    snapshot::{Answer, Snapshot},
};

/// A sidecar that knows one destination.
#[derive(Debug)]
pub struct Sidecar {
    snapshot: Snapshot,
    dice: Dice,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Fate {
    /// It goes on.
    Forwarded(Box<Forwarded>),
    /// It is answered so, without anybody else being asked.
    Answered(Response<()>),
    /// It is answered with this status, and a reason.
    Refused(StatusCode),
}

/// A request that goes on.
#[derive(Debug)]
pub struct Forwarded {
    /// To whom.
    pub cluster: String,
    /// As what.
    pub request: Request<()>,
    /// What its client gets of these header fields.
    pub answer: HeaderMap,
    /// How long all of it may take.
    pub timeout: Option<Duration>,
    /// And one try.
    pub try_timeout: Option<Duration>,
}

impl Sidecar {
    /// One that was told all of the listener called `listener`. `told` answers for a type of xDS and a name; the same `seed` makes the
    /// same choices.
    ///
    /// # Errors
    /// What control tells cannot be read.
    pub fn told(listener: &str, told: impl Fn(&str, &str) -> Option<Vec<u8>>, seed: u64) -> Result<Self, String> {
        Ok(Self { snapshot: feed::snapshot(listener, told)?, dice: Dice::new(seed) })
    }

    /// What becomes of a request to `dialled`, if whoever gets it answers with `answer`; `None` when the address is not known.
    pub fn fate(&self, dialled: SocketAddr, request: Request<()>, answer: HeaderMap) -> Option<Fate> {
        let Some(Answer::Known(destination)) = self.snapshot.addresses.get(&dialled) else { return None };
        let caller = Caller { address: SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000)), identity: None };
        let way = route::request(destination, Asked::of(&request), &caller, &self.dice, clock::now(), clock::wall);
        let taken = way.and_then(|way| match way {
            Way::On(routed) => {
                let mut forwarded = Forwarded {
                    cluster: routed.cluster.name.to_string(),
                    request: request.clone(),
                    answer,
                    timeout: routed.timeouts.request,
                    try_timeout: routed.timeouts.attempt,
                };
                routed.edits.request(&mut forwarded.request)?;
                routed.edits.response(&mut forwarded.answer);
                Ok(Fate::Forwarded(Box::new(forwarded)))
            }
            Way::Elsewhere(Elsewhere { status, location, edits }) => {
                let mut response = relay::redirect(status, location).map(drop);
                edits.response(response.headers_mut());
                Ok(Fate::Answered(response))
            }
            Way::Preflight(headers) => Ok(Fate::Answered(relay::preflight(*headers).map(drop))),
        });
        Some(taken.unwrap_or_else(|refusal: Refusal| Fate::Refused(refusal.reason.status())))
    }
}
