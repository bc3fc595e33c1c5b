//! What is told to whoever wrote a policy of who may call: whether it counts, and what in it means nothing.

use std::fmt;

use super::{routes::Condition, traffic::missing};
use crate::index::{
    Index, Key, PeerAuthentication,
    authorizations::{AuthorizationPolicy, Reach},
    traffic::Attached,
};

/// Whose callers a policy is about, as far as it is told in an entry of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those of the pods behind a Service that it names.
    Attached(Attached),
    /// Those of pods of its namespace, all or some.
    Namespace(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attached(target) => target.fmt(f),
            Self::Namespace(name) => write!(f, "Namespace {name}"),
        }
    }
}

/// What is true of `policy` at each of its targets; without any, in its namespace.
pub(crate) fn of_authorization(index: &Index, policy: &AuthorizationPolicy) -> Vec<(Scope, Vec<Condition>)> {
    let namespace = &policy.key.namespace;
    let scopes = match &policy.reach {
        Reach::Everything | Reach::Pods(_) => vec![Scope::Namespace(namespace.clone())],
        Reach::Services(services) => {
            let attached = |(name, port): &(String, Option<String>)| {
                Attached::Service(Key { namespace: namespace.clone(), name: name.clone() }, port.clone())
            };
            services.iter().map(|service| Scope::Attached(attached(service))).collect()
        }
    };
    // A policy of no rules is somebody's wish, unless all that it had mean nothing.
    let is_void = policy.rules.is_empty();
    scopes.into_iter().map(|scope| (scope.clone(), conditions(index, &scope, is_void, &policy.mistakes))).collect()
}

/// What is true of `policy` in its namespace.
pub(crate) fn of_peers(index: &Index, policy: &PeerAuthentication) -> (Scope, Vec<Condition>) {
    let scope = Scope::Namespace(policy.key.namespace.clone());
    let is_void = policy.proof.is_none() && policy.ports.is_empty();
    let conditions = conditions(index, &scope, is_void, &policy.mistakes);
    (scope, conditions)
}

fn conditions(index: &Index, scope: &Scope, is_void: bool, mistakes: &[String]) -> Vec<Condition> {
    let condition = |kind, holds, reason, message| Condition { kind, holds, reason, message };
    let missing = match scope {
        Scope::Attached(target) => missing(index, target),
        Scope::Namespace(_) => None,
    };
    let accepted = match missing {
        Some(missing) => condition("Accepted", false, "TargetNotFound", missing),
        None if is_void && !mistakes.is_empty() => condition("Accepted", false, "Invalid", mistakes.join("; ")),
        None => condition("Accepted", true, "Accepted", String::new()),
    };
    let in_part = (!is_void && !mistakes.is_empty()).then(|| condition("PartiallyInvalid", true, "Invalid", mistakes.join("; ")));
    [accepted].into_iter().chain(in_part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{
        Object, Protocol,
        authorizations::{Action, Rule, Tree, tests::policy},
        tests::service,
    };

    /// A condition, in short: its kind, whether it holds, and why.
    type Short = (&'static str, bool, &'static str);

    /// Conditions, by what they are about.
    fn told(index: &Index, reach: Reach, rules: Vec<Rule>, mistakes: &[&str]) -> Vec<(String, Vec<Short>)> {
        let mistakes = mistakes.iter().map(|&mistake| mistake.to_owned()).collect();
        let policy = AuthorizationPolicy { mistakes, ..policy("shop", "p", Action::Allow, reach, rules) };
        let short = |found: Vec<Condition>| found.into_iter().map(|found| (found.kind, found.holds, found.reason)).collect();
        of_authorization(index, &policy).into_iter().map(|(scope, found)| (scope.to_string(), short(found))).collect()
    }

    #[test]
    fn a_policy_is_told_of_where_it_counts_and_of_what_means_nothing() {
        let mut index = Index::default();
        index.apply(Object::Service(service("cart", "10.96.0.5", Protocol::Http)));
        let all = || Rule { who: Tree::All(Vec::new()), what: Tree::All(Vec::new()) };
        let (accepted, namespace) = (("Accepted", true, "Accepted"), String::from("Namespace shop"));
        assert_eq!(told(&index, Reach::Everything, vec![all()], &[]), [(namespace.clone(), vec![accepted])]);
        assert_eq!(told(&index, Reach::Everything, vec![], &[]), [(namespace.clone(), vec![accepted])], "no rules are a wish");
        let partly = vec![accepted, ("PartiallyInvalid", true, "Invalid")];
        assert_eq!(told(&index, Reach::Everything, vec![all()], &["spec: x"]), [(namespace.clone(), partly)]);
        assert_eq!(told(&index, Reach::Everything, vec![], &["spec: x"]), [(namespace, vec![("Accepted", false, "Invalid")])]);
        let services = Reach::Services(vec![("cart".into(), None), ("till".into(), None)]);
        let missing = ("Accepted", false, "TargetNotFound");
        let expected = [("Service shop/cart".to_owned(), vec![accepted]), ("Service shop/till".to_owned(), vec![missing])];
        assert_eq!(told(&index, services, vec![all()], &[]), expected);
    }
}
