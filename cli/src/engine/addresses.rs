//! The mesh's addresses: one after the other for pods, by name for services.
//!
//! | | IPv4 | IPv6 |
//! |---|---|---|
//! | the engine: DNS, control | 10.77.0.1 | fd77::1 |
//! | pods | 10.77.0.0/16 | fd77::/64 |
//! | services | 10.96.0.0/16 | fd96::/108 |

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use aws_lc_rs::digest::{SHA256, digest};
use control::manifest::kinds::Service;

use super::manifest::Key;

/// The engine's own.
pub(crate) const ENGINE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The same in IPv6.
pub(crate) const ENGINE_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);
/// Bits that all pods share.
pub(crate) const POD_PREFIX: u8 = 16;
/// The same in IPv6.
pub(crate) const POD_PREFIX_V6: u8 = 64;

/// Gives addresses to pods. An address comes up again only after all others had their turn.
#[derive(Debug)]
pub(crate) struct Pods {
    next: u16,
    ipv6: bool,
}

impl Pods {
    pub(crate) fn new(ipv6: bool) -> Self {
        Self { next: 2, ipv6 }
    }

    /// Addresses that nobody of `taken` has.
    pub(crate) fn next(&mut self, taken: &BTreeSet<IpAddr>) -> Option<Vec<IpAddr>> {
        for _ in 0..=u16::MAX {
            let number = self.next;
            self.next = number.checked_add(1).unwrap_or(2);
            let [high, low] = number.to_be_bytes();
            let address = IpAddr::V4(Ipv4Addr::new(10, 77, high, low));
            // Some programs take a last byte of 0 or 255 for a network or for everybody.
            if low != 0 && low != 255 && !taken.contains(&address) {
                let v6 = self.ipv6.then(|| IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, number)));
                return Some([address].into_iter().chain(v6).collect());
            }
        }
        None
    }
}

/// Virtual addresses of services: made of the name, so that they stay the same over edits and restarts.
#[derive(Debug, Default)]
pub(crate) struct Services(BTreeMap<Key, Vec<IpAddr>>);

impl Services {
    /// Gives every service what it needs, and forgets those that are gone. Who has an address keeps it.
    pub(crate) fn assign(&mut self, services: &BTreeMap<Key, Service>) {
        self.0.retain(|key, addresses| services.get(key).is_some_and(|service| fits(addresses, service)));
        // Addresses asked for by number come before those that may be any.
        let (fixed, free): (Vec<_>, Vec<_>) = services.iter().partition(|(_, service)| !asked(service).is_empty());
        for (key, service) in fixed.into_iter().chain(free) {
            if self.0.contains_key(key) || families(service).is_empty() {
                continue;
            }
            let taken: BTreeSet<IpAddr> = self.0.values().flatten().copied().collect();
            let asked = asked(service);
            let give = |family: &Family| {
                let wish = asked.iter().copied().find(|address| Family::of(*address) == *family && !taken.contains(address));
                wish.or_else(|| family.by_name(key, &taken))
            };
            self.0.insert(key.clone(), families(service).iter().filter_map(give).collect());
        }
    }

    /// Addresses of a service; none when it is headless or stands for an external name.
    pub(crate) fn of(&self, service: &Key) -> &[IpAddr] {
        self.0.get(service).map_or(&[], Vec::as_slice)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    fn by_name(self, key: &Key, taken: &BTreeSet<IpAddr>) -> Option<IpAddr> {
        let hash = digest(&SHA256, format!("{}/{}", key.namespace, key.name).as_bytes());
        let start = u16::from_be_bytes([hash.as_ref()[0], hash.as_ref()[1]]);
        let numbers = (0..=u16::MAX).map(|step| start.wrapping_add(step));
        numbers
            .filter(|number| ![0, 255].contains(&number.to_be_bytes()[1]))
            .map(|number| self.numbered(number))
            .find(|address| !taken.contains(address))
    }

    fn numbered(self, number: u16) -> IpAddr {
        let [high, low] = number.to_be_bytes();
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::new(10, 96, high, low)),
            Self::V6 => IpAddr::V6(Ipv6Addr::new(0xfd96, 0, 0, 0, 0, 0, 0, number)),
        }
    }
}

/// As Kubernetes decides it: what `ipFamilies` names, a second one if the policy wants it, IPv4 by default.
fn families(service: &Service) -> Vec<Family> {
    let spec = &service.spec;
    if spec.cluster_ip.as_deref() == Some("None") || spec.kind.as_deref() == Some("ExternalName") {
        return Vec::new();
    }
    let read = |family: &String| if family == "IPv6" { Family::V6 } else { Family::V4 };
    let mut families: Vec<Family> = spec.ip_families.iter().map(read).collect();
    if families.is_empty() {
        families = asked(service).into_iter().map(Family::of).collect();
    }
    if families.is_empty() {
        families.push(Family::V4);
    }
    let dual = matches!(spec.ip_family_policy.as_deref(), Some("PreferDualStack" | "RequireDualStack"));
    if dual && families.len() == 1 {
        families.push(if families[0] == Family::V4 { Family::V6 } else { Family::V4 });
    }
    families.dedup();
    families
}

/// Addresses that the manifest itself names.
fn asked(service: &Service) -> Vec<IpAddr> {
    let mut asked: Vec<IpAddr> = Vec::new();
    for address in service.spec.cluster_ip.iter().chain(&service.spec.cluster_ips).filter_map(|text| text.parse().ok()) {
        if !asked.contains(&address) {
            asked.push(address);
        }
    }
    asked
}

fn fits(addresses: &[IpAddr], service: &Service) -> bool {
    let held: Vec<Family> = addresses.iter().map(|address| Family::of(*address)).collect();
    held == families(service) && asked(service).iter().all(|address| addresses.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(spec: &str) -> Service {
        let text = format!(r#"{{"apiVersion":"v1","kind":"Service","metadata":{{"name":"x"}},"spec":{spec}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    fn assigned(services: &[(&str, &str)]) -> Services {
        let mut assigned = Services::default();
        assigned.assign(&described(services));
        assigned
    }

    fn described(services: &[(&str, &str)]) -> BTreeMap<Key, Service> {
        services.iter().map(|(name, spec)| (Key::new("shop", name), service(spec))).collect()
    }

    #[test]
    fn an_address_comes_up_again_only_after_all_others() {
        let mut pods = Pods::new(true);
        let first = pods.next(&BTreeSet::new()).unwrap();
        assert_eq!(first, ["10.77.0.2".parse::<IpAddr>().unwrap(), "fd77::2".parse().unwrap()]);
        let second = pods.next(&BTreeSet::new()).unwrap();
        assert_ne!(first, second);
        let mut round = 1;
        while pods.next(&BTreeSet::new()).unwrap()[0] != first[0] {
            round += 1;
        }
        assert!(round > 60_000, "{round}");
    }

    #[test]
    fn a_name_has_the_same_address_every_time_and_no_two_share_one() {
        let many: Vec<String> = (0..500).map(|number| format!("service-{number}")).collect();
        let pairs: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "{}")).collect();
        let (one, other) = (assigned(&pairs), assigned(&pairs));
        let all: BTreeSet<IpAddr> = one.0.values().flatten().copied().collect();
        assert_eq!(all.len(), 500);
        assert_eq!(one.0, other.0);
    }

    #[test]
    fn an_edit_elsewhere_takes_nobodys_address() {
        let mut services = assigned(&[("cart", "{}")]);
        let held = services.of(&Key::new("shop", "cart")).to_vec();
        let rude = format!(r#"{{"clusterIP":"{}"}}"#, held[0]);
        services.assign(&described(&[("cart", "{}"), ("a", &rude)]));
        assert_eq!(services.of(&Key::new("shop", "cart")), held);
        assert_ne!(services.of(&Key::new("shop", "a")), held);
    }

    #[test]
    fn families_are_as_in_kubernetes() {
        let services = assigned(&[
            ("single", "{}"),
            ("dual", r#"{"ipFamilyPolicy":"PreferDualStack"}"#),
            ("six", r#"{"ipFamilies":["IPv6"]}"#),
            ("headless", r#"{"clusterIP":"None"}"#),
        ]);
        let six = |name| services.of(&Key::new("shop", name)).iter().map(IpAddr::is_ipv6).collect::<Vec<_>>();
        assert_eq!(six("single"), [false]);
        assert_eq!(six("dual"), [false, true]);
        assert_eq!(six("six"), [true]);
        assert_eq!(six("headless"), [true; 0]);
    }
}
