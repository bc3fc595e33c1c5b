//! Who may do what: what `AuthorizationPolicy`s say of the callers of a pod. All that are about a pod count together.

mod nouns;

use std::collections::BTreeMap;

pub(crate) use nouns::{Action, AuthorizationPolicy, Reach, Rule, Text, Tree, What, Who};

use super::{Key, Pod, Service, ServicePort, nouns::in_namespace};

/// All there are.
#[derive(Debug, Default)]
pub(super) struct AuthorizationPolicies(BTreeMap<Key, AuthorizationPolicy>);

/// Those that are about the callers of a pod: its namespace's, and after them the mesh's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Authorizations<'a> {
    /// At all ports.
    pub(crate) everywhere: Vec<&'a AuthorizationPolicy>,
    /// At single ports, too.
    pub(crate) ports: BTreeMap<u16, Vec<&'a AuthorizationPolicy>>,
}

impl AuthorizationPolicies {
    pub(super) fn get(&self, key: &Key) -> Option<&AuthorizationPolicy> {
        self.0.get(key)
    }

    pub(super) fn insert(&mut self, new: AuthorizationPolicy) {
        self.0.insert(new.key.clone(), new);
    }

    pub(super) fn remove(&mut self, key: &Key) -> bool {
        self.0.remove(key).is_some()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &AuthorizationPolicy> {
        self.0.values()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Those about the callers of `pod`, to which services lead by `ports`; those in `root` may be about all pods.
    pub(super) fn of<'a>(&'a self, pod: &Pod, root: &str, ports: &[(u16, &Service, &ServicePort)]) -> Authorizations<'a> {
        let mut found = Authorizations::default();
        let namespace = pod.key.namespace.as_str();
        let of_mesh = in_namespace(&self.0, root).filter(|_| root != namespace);
        for (Key { namespace: there, .. }, policy) in in_namespace(&self.0, namespace).chain(of_mesh) {
            match &policy.reach {
                Reach::Everything => found.everywhere.push(policy),
                Reach::Pods(labels) if pod.has_labels(labels) => found.everywhere.push(policy),
                Reach::Pods(_) => {}
                Reach::Services(services) => {
                    let is_meant = |service: &Service, declared: &ServicePort| {
                        let by_name = |(name, port): &(String, Option<String>)| {
                            *name == service.key.name && port.as_ref().is_none_or(|port| *port == declared.name)
                        };
                        service.key.namespace == *there && services.iter().any(by_name)
                    };
                    for (port, service, declared) in ports {
                        let known = found.ports.get(port).is_some_and(|known| known.contains(&policy));
                        if is_meant(service, declared) && !known {
                            found.ports.entry(*port).or_default().push(policy);
                        }
                    }
                }
            }
        }
        found
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::index::{
        Edition, Protocol,
        tests::{pod, service},
    };

    pub(crate) fn policy(namespace: &str, name: &str, action: Action, reach: Reach, rules: Vec<Rule>) -> AuthorizationPolicy {
        let key = Key { namespace: namespace.into(), name: name.into() };
        let rules = rules.into_iter().enumerate().collect();
        AuthorizationPolicy { key, edition: Edition::default(), action, reach, rules, mistakes: Vec::new() }
    }

    fn labelled(app: &str) -> BTreeMap<String, String> {
        [(String::from("app"), app.to_owned())].into()
    }

    #[test]
    fn all_that_are_about_a_pod_count() {
        let mut all = AuthorizationPolicies::default();
        for (namespace, name, reach) in [
            ("shop", "everything", Reach::Everything),
            ("shop", "cart", Reach::Pods(labelled("cart"))),
            ("shop", "till", Reach::Pods(labelled("till"))),
            ("bank", "everything", Reach::Everything),
            ("weft-system", "mesh", Reach::Everything),
            ("weft-system", "carts", Reach::Pods(labelled("cart"))),
        ] {
            all.insert(policy(namespace, name, Action::Deny, reach, Vec::new()));
        }
        let cart = Pod { labels: labelled("cart"), ..pod("a", "10.77.0.5") };
        let found = all.of(&cart, "weft-system", &[]);
        let names: Vec<String> = found.everywhere.iter().map(|policy| policy.key.to_string()).collect();
        assert_eq!(names, ["shop/cart", "shop/everything", "weft-system/carts", "weft-system/mesh"]);
        assert!(found.ports.is_empty());
    }

    #[test]
    fn those_of_services_are_about_the_ports_that_these_lead_to() {
        let mut all = AuthorizationPolicies::default();
        let of = |name: &str, port: Option<&str>| Reach::Services(vec![(name.to_owned(), port.map(str::to_owned))]);
        let cart = service("cart", "10.96.0.5", Protocol::Http);
        let named = &cart.ports[0];
        for (namespace, name, reach) in [
            ("shop", "a", of("cart", None)),
            ("shop", "b", of("cart", Some(&named.name))),
            ("shop", "c", of("cart", Some("another"))),
            ("shop", "d", of("till", None)),
            ("bank", "e", of("cart", None)),
        ] {
            all.insert(policy(namespace, name, Action::Allow, reach, Vec::new()));
        }
        let found = all.of(&pod("a", "10.77.0.5"), "weft-system", &[(8080, &cart, named)]);
        let names: Vec<&str> = found.ports[&8080].iter().map(|policy| policy.key.name.as_str()).collect();
        assert_eq!((names, found.everywhere.len()), (vec!["a", "b"], 0));
    }
}
