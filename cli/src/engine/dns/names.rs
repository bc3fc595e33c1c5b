//! What every name means, as in a cluster. Pure.
//!
//! | name (below `svc.cluster.local`) | is |
//! |---|---|
//! | `cart.shop` | the virtual address; the ready pods' own addresses when headless; another name when external |
//! | `_web._tcp.cart.shop` | where the port `web` is |
//! | `cart-0.cart.shop` | a pod of a headless service |

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use control::manifest::kinds::{Service, TargetPort};

use crate::engine::{
    addresses::Services,
    manifest::Key,
    table::{Pod, Table},
    workload::{Companion, port_of},
};

/// The cluster's domain, without dots around it.
pub(crate) const DOMAIN: &str = "cluster.local";

/// All names of the mesh.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// By lower-case name without a dot at its end.
    entries: BTreeMap<String, Entry>,
    /// Addresses of pods without a sidecar. Nobody would take their calls to a virtual address.
    outsiders: BTreeSet<IpAddr>,
}

#[derive(Debug, Default, PartialEq)]
struct Entry {
    addresses: Vec<IpAddr>,
    /// For those without a sidecar.
    behind: Vec<IpAddr>,
    places: Vec<Place>,
    alias: Option<String>,
}

/// A port at a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) port: u16,
    pub(crate) target: String,
}

/// What a name means to somebody.
#[derive(Debug, PartialEq)]
pub(crate) enum Meaning<'a> {
    /// It is one of ours.
    Known { addresses: &'a [IpAddr], places: &'a [Place], alias: Option<&'a str> },
    /// It would be one of ours, and there is none such.
    Missing,
    /// It is outside of the mesh.
    Foreign,
}

impl Names {
    /// Names of everything there is.
    pub(crate) fn new(services: &BTreeMap<Key, Service>, virtual_addresses: &Services, pods: &Table) -> Self {
        let mut names = Self::default();
        let outsiders = pods.values().filter(|pod| pod.companion != Companion::Sidecar);
        names.outsiders = outsiders.flat_map(|pod| pod.addresses.iter().copied()).collect();
        for (key, service) in services {
            let selected: Vec<(&Key, &Pod)> = pods
                .iter()
                .filter(|(pod, _)| pod.namespace == key.namespace)
                .filter(|(_, pod)| pod.is_selected(&service.spec.selector))
                .filter(|(_, pod)| pod.takes_work() || service.spec.publish_not_ready_addresses)
                .collect();
            names.add(key, service, virtual_addresses.of(key), &selected);
        }
        names
    }

    /// What `name` means to the pod at `client`.
    pub(crate) fn find(&self, name: &str, client: IpAddr) -> Meaning<'_> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        match self.entries.get(&name) {
            Some(entry) => {
                let outside = self.outsiders.contains(&client);
                let addresses = if outside { &entry.behind } else { &entry.addresses };
                Meaning::Known { addresses, places: &entry.places, alias: entry.alias.as_deref() }
            }
            None if name == DOMAIN || name.ends_with(".cluster.local") => Meaning::Missing,
            None => Meaning::Foreign,
        }
    }

    fn add(&mut self, key: &Key, service: &Service, addresses: &[IpAddr], pods: &[(&Key, &Pod)]) {
        let full = format!("{}.{}.svc.{DOMAIN}", key.name, key.namespace).to_ascii_lowercase();
        if service.spec.kind.as_deref() == Some("ExternalName") {
            let alias = service.spec.external_name.as_ref().map(|name| name.trim_end_matches('.').to_owned());
            self.entries.insert(full, Entry { alias, ..Entry::default() });
            return;
        }
        let headless = addresses.is_empty();
        // Of the families that the service has; one without addresses of its own is not asked which.
        let of_family = |address: &IpAddr| headless || addresses.iter().any(|own| own.is_ipv4() == address.is_ipv4());
        let behind: Vec<IpAddr> = pods.iter().flat_map(|(_, pod)| pod.addresses.iter().copied()).filter(of_family).collect();
        if headless {
            for (name, pod) in pods {
                let entry = Entry { addresses: pod.addresses.clone(), behind: pod.addresses.clone(), ..Entry::default() };
                self.entries.insert(format!("{}.{full}", name.name), entry);
            }
        }
        for port in &service.spec.ports {
            let Some(name) = &port.name else { continue };
            let places = if headless {
                let target = port.target_port.clone().unwrap_or(TargetPort::Number(port.port));
                let place = |(name, pod): &(&Key, &Pod)| {
                    Some(Place { port: port_of(&pod.ports, &target)?, target: format!("{}.{full}", name.name) })
                };
                pods.iter().filter_map(place).collect()
            } else {
                vec![Place { port: port.port, target: full.clone() }]
            };
            let protocol = port.protocol.as_deref().unwrap_or("TCP").to_ascii_lowercase();
            self.entries.insert(format!("_{name}._{protocol}.{full}"), Entry { places, ..Entry::default() });
        }
        let addresses = if headless { behind.clone() } else { addresses.to_vec() };
        self.entries.insert(full, Entry { addresses, behind, ..Entry::default() });
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::engine::pod::Stop;

    fn names() -> Names {
        let services: BTreeMap<Key, Service> = [
            ("cart", r#"{"selector":{"app":"cart"},"ports":[{"name":"web","port":80,"targetPort":8080}]}"#),
            ("stock", r#"{"clusterIP":"None","selector":{"app":"cart"},"ports":[{"name":"web","port":80,"targetPort":8080}]}"#),
            ("bank", r#"{"type":"ExternalName","externalName":"bank.example."}"#),
        ]
        .into_iter()
        .map(|(name, spec)| {
            let text = format!(r#"{{"apiVersion":"v1","kind":"Service","metadata":{{"name":"{name}"}},"spec":{spec}}}"#);
            (Key::new("shop", name), serde_json::from_str(&text).unwrap())
        })
        .collect();
        let mut addresses = Services::default();
        addresses.assign(&services);
        let pods =
            [("cart-0", "10.77.0.2", true, true), ("cart-1", "10.77.0.3", false, true), ("plain", "10.77.0.4", true, false)];
        let pods = pods.map(|(name, address, ready, meshed)| {
            let labels = if meshed { [(String::from("app"), String::from("cart"))].into() } else { BTreeMap::new() };
            let pod = Pod {
                replica: None,
                template: String::new(),
                uid: String::new(),
                labels,
                service_account: String::new(),
                ports: Vec::new(),
                addresses: vec![address.parse().unwrap()],
                companion: if meshed { Companion::Sidecar } else { Companion::Nobody },
                token: None,
                ready,
                leaving: None,
                stop: watch::channel(Stop::Stay).0,
            };
            (Key::new("shop", name), pod)
        });
        Names::new(&services, &addresses, &pods.into())
    }

    fn addresses(meaning: &Meaning<'_>) -> Vec<String> {
        match meaning {
            Meaning::Known { addresses, .. } => addresses.iter().map(ToString::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_service_is_its_virtual_address_whatever_the_case_and_the_last_dot() {
        let client = "10.77.0.2".parse().unwrap();
        let names = names();
        let found = addresses(&names.find("Cart.Shop.svc.cluster.local.", client));
        assert!(found[0].starts_with("10.96."), "{found:?}");
    }

    #[test]
    fn a_headless_service_is_its_ready_pods_and_each_has_a_name() {
        let client = "10.77.0.2".parse().unwrap();
        let names = names();
        assert_eq!(addresses(&names.find("stock.shop.svc.cluster.local", client)), ["10.77.0.2"]);
        assert_eq!(addresses(&names.find("cart-0.stock.shop.svc.cluster.local", client)), ["10.77.0.2"]);
        assert_eq!(names.find("cart-1.stock.shop.svc.cluster.local", client), Meaning::Missing);
    }

    #[test]
    fn a_pod_without_a_sidecar_is_told_who_is_behind_a_service() {
        let names = names();
        assert_eq!(addresses(&names.find("cart.shop.svc.cluster.local", "10.77.0.4".parse().unwrap())), ["10.77.0.2"]);
    }

    #[test]
    fn ports_external_names_and_strangers_are_told_apart() {
        let client = "10.77.0.2".parse().unwrap();
        let names = names();
        let Meaning::Known { places, .. } = names.find("_web._tcp.cart.shop.svc.cluster.local", client) else { panic!() };
        assert_eq!(places, [Place { port: 80, target: String::from("cart.shop.svc.cluster.local") }]);
        let Meaning::Known { alias, .. } = names.find("bank.shop.svc.cluster.local", client) else { panic!() };
        assert_eq!(alias, Some("bank.example"));
        assert_eq!(names.find("nobody.shop.svc.cluster.local", client), Meaning::Missing);
        assert_eq!(names.find("example.com", client), Meaning::Foreign);
    }
}
