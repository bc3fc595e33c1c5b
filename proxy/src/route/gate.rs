//! Whether a request passes the gate of its route, and what happens to it there.

use std::time::{Duration, Instant};

use http::HeaderMap;

use super::{
    Asked, Caller,
    cors::{self, Granted},
};
use crate::{
    dice::Dice,
    rate_limit::Client,
    refusal::{Reason, Refusal},
    snapshot::{Abort, Faults, Gate, Share},
};

/// All of something, in millionths.
const WHOLE: usize = 1_000_000;

/// What becomes of a request at a gate.
pub(super) enum Passed {
    Through(Passage),
    /// It is what a browser asks before it asks for anything, and answered with these header fields.
    Preflight(Box<HeaderMap>),
}

/// What happens to a request that passes.
#[derive(Debug, Default)]
pub(super) struct Passage {
    pub(super) fault: Option<Box<Fault>>,
    pub(super) cors: Option<Box<Granted>>,
}

/// What is done to a request for a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// It is held up for so long,
    pub delay: Option<Duration>,
    /// and answered with this error.
    pub abort: Option<Abort>,
}

/// Passes a request at `now`.
///
/// # Errors
/// [`Reason::RateLimited`] when there were too many.
pub(super) fn pass(gate: &Gate, asked: Asked<'_>, caller: &Caller, dice: &Dice, now: Instant) -> Result<Passed, Refusal> {
    if let Some(headers) = gate.cors.as_ref().and_then(|cors| cors::preflight(cors, asked)) {
        return Ok(Passed::Preflight(Box::new(headers)));
    }
    for limit in &gate.limits {
        limit.take(|| client(caller), now).map_err(|wait| too_many(asked, wait))?;
    }
    let cors = gate.cors.as_ref().and_then(|cors| cors::grant(cors, asked.headers)).map(Box::new);
    Ok(Passed::Through(Passage { fault: fault(&gate.faults, dice).map(Box::new), cors }))
}

fn client(caller: &Caller) -> Client {
    match &caller.identity {
        Some(identity) => Client::Identity(identity.clone()),
        None => Client::Address(caller.address.ip().to_canonical()),
    }
}

fn too_many(asked: Asked<'_>, wait: Duration) -> Refusal {
    let detail = format!("{} {} is asked for more often than a policy allows", asked.method, asked.path());
    Refusal::later(Reason::RateLimited, detail, wait)
}

fn fault(faults: &Faults, dice: &Dice) -> Option<Fault> {
    let delay = faults.delay.and_then(|share| drawn(share, dice));
    let abort = faults.abort.and_then(|share| drawn(share, dice));
    (delay.is_some() || abort.is_some()).then_some(Fault { delay, abort })
}

fn drawn<T>(Share { millionths, what }: Share<T>, dice: &Dice) -> Option<T> {
    (dice.roll(WHOLE) < millionths as usize).then_some(what)
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, sync::Arc};

    use http::{Request, StatusCode};

    use super::*;
    use crate::rate_limit::{Rate, RateLimit};

    const ABORT: Abort = Abort { status: StatusCode::SERVICE_UNAVAILABLE, grpc: 14 };

    fn share<T>(millionths: u32, what: T) -> Option<Share<T>> {
        Some(Share { millionths, what })
    }

    #[test]
    fn faults_strike_as_many_as_they_should() {
        let dice = Dice::new(7);
        let faults = Faults { delay: share(500_000, Duration::from_secs(1)), abort: share(10_000, ABORT) };
        let struck: Vec<Fault> = (0..100_000).filter_map(|_| fault(&faults, &dice)).collect();
        let delayed = struck.iter().filter(|fault| fault.delay.is_some()).count();
        let aborted = struck.iter().filter(|fault| fault.abort.is_some()).count();
        assert!((49_000..51_000).contains(&delayed) && (900..1_100).contains(&aborted), "{delayed} {aborted}");
        let all = Faults { delay: None, abort: share(1_000_000, ABORT) };
        assert!((0..1_000).all(|_| fault(&all, &dice) == Some(Fault { delay: None, abort: Some(ABORT) })));
        let none = Faults { delay: share(0, Duration::from_secs(1)), abort: None };
        assert!((0..1_000).all(|_| fault(&none, &dice).is_none()));
    }

    #[test]
    fn who_asks_too_often_is_told_when_to_come_again() {
        let now = crate::clock::now();
        let one = NonZeroU32::MIN;
        let rate = Rate { requests: one, per: Duration::from_secs(10), burst: one };
        let gate = Gate { limits: vec![Arc::new(RateLimit::by_client(rate, now))], ..Gate::default() };
        let request = Request::get("/a").body(()).unwrap();
        let pass = |address: &str| {
            let caller = Caller { address: address.parse().unwrap(), identity: None };
            pass(&gate, Asked::of(&request), &caller, &Dice::new(1), now).map(|passed| matches!(passed, Passed::Through(_)))
        };
        assert!(pass("10.77.0.5:1000").unwrap());
        let refusal = pass("10.77.0.5:1001").unwrap_err();
        assert_eq!((refusal.reason, refusal.wait), (Reason::RateLimited, Some(Duration::from_secs(10))));
        assert!(pass("10.77.0.6:1000").unwrap(), "another client");
    }
}
