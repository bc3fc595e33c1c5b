//! Proof that somebody may do what he asks.

use std::sync::Arc;

use super::{
    Asked, Caller,
    authorize::{self, Ruling},
};
use crate::{
    dice::Dice,
    refusal::{Reason, Refusal},
    snapshot::{Admits, Destination},
};

/// Proof that a caller may go on. Only this room can make one, so nothing can be carried without having asked; whatever is sent
/// for the same request has the same.
#[derive(Clone, Debug)]
pub struct Permit {
    audited: Vec<Arc<str>>,
}

impl Permit {
    /// Rules that want to be told that it was given.
    pub fn audited(&self) -> &[Arc<str>] {
        &self.audited
    }
}

/// Decides whether `caller` may go to `destination`, and ask for `asked` there; for a whole connection where nothing is asked.
/// Policies come first, and where they say nothing of who may, the default does.
///
/// # Errors
/// He may not: [`Reason::Unauthenticated`], [`Reason::Denied`], or [`Reason::NoPolicy`] before control has said who may.
pub(super) fn grant(
    destination: &Destination,
    caller: &Caller,
    asked: Option<Asked<'_>>,
    dice: &Dice,
) -> Result<Permit, Refusal> {
    let refused = |reason, why: &str| Refusal::new(reason, format!("{}: {why}", destination.label()));
    let unproved = || refused(Reason::Unauthenticated, "only callers that prove who they are may come here");
    let mut audited = Vec::new();
    if let Some(authorization) = &destination.authorization {
        if authorization.proof && caller.identity.is_none() {
            return Err(unproved());
        }
        match authorize::decide(authorization, caller, destination.address.port(), asked) {
            Ruling::Let { by_policy: true, audited } => return Ok(Permit { audited }),
            Ruling::Let { by_policy: false, audited: told } => audited = told,
            Ruling::Kept(rule) => {
                let decision = format!("{:016x}", dice.roll(usize::MAX));
                let why = format!("a policy does not let this caller in (decision {decision})");
                return Err(refused(Reason::Denied, &why).by_rule(decision, rule));
            }
        }
    }
    match destination.admits {
        Admits::Everybody => Ok(Permit { audited }),
        Admits::Authenticated if caller.identity.is_some() => Ok(Permit { audited }),
        Admits::Authenticated => Err(unproved()),
        Admits::Nobody => Err(refused(Reason::Denied, "nobody may come here")),
        Admits::Untold => Err(refused(Reason::NoPolicy, "control has not said yet who may come here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Authorization, Protocol};

    fn asked(destination: &Destination, caller: &Caller) -> Option<Reason> {
        grant(destination, caller, None, &Dice::new(1)).err().map(|refusal| refusal.reason)
    }

    fn callers() -> [Caller; 2] {
        let address = "10.77.0.9:40000".parse().unwrap();
        let peer = "spiffe://cluster.local/ns/shop/sa/web".parse().unwrap();
        [None, Some(peer)].map(|identity| Caller { address, identity })
    }

    fn local(admits: Admits) -> Destination {
        Destination::local("10.77.0.5:80".parse().unwrap(), Protocol::Undeclared, admits)
    }

    #[test]
    fn who_may_come_depends_on_what_he_has_proved() {
        for (admits, expected) in [
            (Admits::Everybody, [None, None]),
            (Admits::Authenticated, [Some(Reason::Unauthenticated), None]),
            (Admits::Nobody, [Some(Reason::Denied); 2]),
            (Admits::Untold, [Some(Reason::NoPolicy); 2]),
        ] {
            assert_eq!(callers().map(|caller| asked(&local(admits), &caller)), expected, "{admits:?}");
        }
    }

    #[test]
    fn what_policies_say_of_who_may_comes_before_the_default_and_proof_before_both() {
        let with = |authorization, admits| Destination { authorization: Some(Arc::new(authorization)), ..local(admits) };
        let nobody = || Authorization { allow: Some(Vec::new()), ..Authorization::default() };
        for (authorization, admits, expected) in [
            (Authorization::default(), Admits::Everybody, [None, None]),
            (Authorization::default(), Admits::Nobody, [Some(Reason::Denied); 2]),
            (nobody(), Admits::Everybody, [Some(Reason::Denied); 2]),
            (Authorization { proof: true, ..Authorization::default() }, Admits::Everybody, [Some(Reason::Unauthenticated), None]),
            (Authorization { proof: true, ..nobody() }, Admits::Everybody, [Some(Reason::Unauthenticated), Some(Reason::Denied)]),
        ] {
            let destination = with(authorization, admits);
            assert_eq!(callers().map(|caller| asked(&destination, &caller)), expected, "{destination:?}");
        }
    }

    #[test]
    fn who_is_kept_out_is_told_a_decision_and_not_the_rule() {
        let rule = crate::snapshot::Rule {
            name: "shop/secret[0]".into(),
            who: crate::snapshot::Tree::All(vec![]),
            what: crate::snapshot::Tree::All(vec![]),
        };
        let authorization = Authorization { deny: vec![rule], ..Authorization::default() };
        let destination = Destination { authorization: Some(Arc::new(authorization)), ..local(Admits::Everybody) };
        let refusal = grant(&destination, &callers()[0], None, &Dice::new(1)).unwrap_err();
        let ruled = refusal.ruled.as_deref().unwrap();
        assert_eq!(ruled.rule.as_deref(), Some("shop/secret[0]"));
        assert!(refusal.to_string().contains(&ruled.decision) && !refusal.to_string().contains("secret"), "{refusal}");
    }
}
