//! What is told to whoever wrote a traffic policy: its conditions, for each of its targets. Source: `PolicyConditionType` and
//! `PolicyConditionReason` of the Gateway API.

use super::routes::Condition;
use crate::index::{
    Index,
    traffic::{Attached, Said, TrafficPolicy},
};

/// What is true of `policy` at one of its targets.
pub(crate) fn conditions(index: &Index, policy: &TrafficPolicy, target: &Attached) -> Vec<Condition> {
    let condition = |kind, holds, reason, message| Condition { kind, holds, reason, message };
    let winner = || index.traffic_policy_at(policy.kind, target).filter(|winner| winner.key != policy.key);
    let says_nothing = policy.said == Said::default();
    let mistakes = || policy.mistakes.join("; ");
    let mut conditions = Vec::new();
    if let Some(missing) = missing(index, target) {
        conditions.push(condition("Accepted", false, "TargetNotFound", missing));
    } else if says_nothing && !policy.mistakes.is_empty() {
        conditions.push(condition("Accepted", false, "Invalid", mistakes()));
    } else if let Some(winner) = winner() {
        let kind = winner.kind.word();
        let message = format!("{kind} {} is for it, and older or of a name that comes first", winner.key);
        conditions.push(condition("Accepted", false, "Conflicted", message));
    } else {
        conditions.push(condition("Accepted", true, "Accepted", String::new()));
    }
    if !says_nothing && !policy.mistakes.is_empty() {
        conditions.push(condition("PartiallyInvalid", true, "Invalid", mistakes()));
    }
    conditions
}

/// What is not there, if something is not.
pub(super) fn missing(index: &Index, target: &Attached) -> Option<String> {
    match target {
        Attached::Service(key, port) => {
            let Some(service) = index.service(key) else { return Some(format!("there is no Service {key}")) };
            let port = port.as_ref()?;
            let is_there = service.ports.iter().any(|known| known.name == *port);
            (!is_there).then(|| format!("Service {key} has no port named {port}"))
        }
        Attached::Route(kind, key, rule) => {
            let Some(route) = index.route(&(*kind, key.clone())) else {
                return Some(format!("there is no {} {key}", kind.word()));
            };
            let rule = rule.as_ref()?;
            (!route.rules.iter().any(|known| known.name == *rule))
                .then(|| format!("{} {key} has no rule named {rule}", kind.word()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{
        Object, Protocol,
        routes::{RouteKind, tests::route},
        tests::{key, service},
        traffic::tests::policy,
    };

    fn shop() -> Index {
        let mut index = Index::default();
        index.apply(Object::Service(service("cart", "10.96.0.5", Protocol::Http)));
        index.apply(Object::Route(route("shop", "r", &key("cart"), &key("cart"))));
        index
    }

    fn told(index: &Index, policy: &TrafficPolicy) -> Vec<(&'static str, bool, &'static str)> {
        let conditions = conditions(index, policy, &policy.targets[0]);
        conditions.into_iter().map(|condition| (condition.kind, condition.holds, condition.reason)).collect()
    }

    const ACCEPTED: (&str, bool, &str) = ("Accepted", true, "Accepted");

    fn of_cart() -> Attached {
        Attached::Service(key("cart"), None)
    }

    #[test]
    fn a_policy_is_accepted_for_what_is_there() {
        let http = |name: &str, rule: Option<&str>| Attached::Route(RouteKind::Http, key(name), rule.map(str::to_owned));
        for (target, is_there) in [
            (of_cart(), true),
            (http("r", None), true),
            (Attached::Service(key("gone"), None), false),
            (Attached::Service(key("cart"), Some("admin".into())), false),
            (http("gone", None), false),
            (http("r", Some("first")), false),
            (Attached::Route(RouteKind::Grpc, key("r"), None), false),
        ] {
            let expected = if is_there { ACCEPTED } else { ("Accepted", false, "TargetNotFound") };
            assert_eq!(told(&shop(), &policy("a", target.clone(), 1)), [expected], "{target}");
        }
    }

    #[test]
    fn of_two_for_the_same_one_is_told_that_it_does_not_count() {
        let mut index = shop();
        let (first, second) = (policy("a", of_cart(), 1), policy("b", of_cart(), 2));
        for policy in [&first, &second] {
            index.apply(Object::TrafficPolicy(Box::new(policy.clone())));
        }
        assert_eq!(told(&index, &first), [ACCEPTED]);
        assert_eq!(told(&index, &second), [("Accepted", false, "Conflicted")]);
    }

    #[test]
    fn mistakes_are_told() {
        let some = TrafficPolicy { mistakes: vec!["spec.retries: odd".into()], ..policy("a", of_cart(), 1) };
        assert_eq!(told(&shop(), &some), [ACCEPTED, ("PartiallyInvalid", true, "Invalid")]);
        let none = TrafficPolicy { said: Said::default(), ..some };
        assert_eq!(told(&shop(), &none), [("Accepted", false, "Invalid")]);
    }
}
