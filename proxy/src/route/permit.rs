//! Proof that somebody may do what he asks.

use super::Caller;
use crate::{
    refusal::{Reason, Refusal},
    snapshot::{Admits, Destination},
};

/// Proof that a caller may go on. Only this room can make one, so nothing can be carried without having asked; whatever is sent
/// for the same request has the same.
#[derive(Clone, Debug)]
pub struct Permit(());

/// Decides whether `caller` may go to `destination`.
///
/// # Errors
/// He may not: [`Reason::Unauthenticated`], [`Reason::Denied`], or [`Reason::NoPolicy`] before control has said who may.
pub(super) fn grant(destination: &Destination, caller: &Caller) -> Result<Permit, Refusal> {
    let (reason, why) = match destination.admits {
        Admits::Everybody => return Ok(Permit(())),
        Admits::Authenticated if caller.identity.is_some() => return Ok(Permit(())),
        Admits::Authenticated => (Reason::Unauthenticated, "only callers that prove who they are may come here"),
        Admits::Nobody => (Reason::Denied, "nobody may come here"),
        Admits::Untold => (Reason::NoPolicy, "control has not said yet who may come here"),
    };
    Err(Refusal::new(reason, format!("{}: {why}", destination.label())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Protocol;

    #[test]
    fn who_may_come_depends_on_what_he_has_proved() {
        let address = "10.77.0.9:40000".parse().unwrap();
        let stranger = Caller { address, identity: None };
        let peer = Caller { address, identity: Some("spiffe://cluster.local/ns/shop/sa/web".parse().unwrap()) };
        let asked = |admits, caller| {
            let destination = Destination::local("10.77.0.5:80".parse().unwrap(), Protocol::Undeclared, admits);
            grant(&destination, caller).err().map(|refusal| refusal.reason)
        };
        for (admits, of_stranger, of_peer) in [
            (Admits::Everybody, None, None),
            (Admits::Authenticated, Some(Reason::Unauthenticated), None),
            (Admits::Nobody, Some(Reason::Denied), Some(Reason::Denied)),
            (Admits::Untold, Some(Reason::NoPolicy), Some(Reason::NoPolicy)),
        ] {
            assert_eq!((asked(admits, &stranger), asked(admits, &peer)), (of_stranger, of_peer), "{admits:?}");
        }
    }
}
