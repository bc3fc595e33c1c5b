//! Who called, told to the app in headers; and what a stranger says of himself in them, removed.
//!
//! A call of the app's own is its own affair: what it says of whom it calls for is carried untouched. A call to the app comes
//! to it from this proxy's address, so here the caller's is added.

use std::{fmt::Write as _, net::IpAddr};

use certs::name::SpiffeId;
use http::{HeaderMap, HeaderName, HeaderValue, header::FORWARDED};

use crate::{config::Forwarded, events::Direction};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proved identity of the caller: a SPIFFE ID. Only ever written by the inbound side of a proxy.
const CLIENT_ID: HeaderName = HeaderName::from_static("weft-client-id");

/// Headers in which meshes tell an app who its caller is. Whoever believes them must not get them from a stranger.
const FOREIGN: [HeaderName; 2] = [HeaderName::from_static("x-forwarded-client-cert"), HeaderName::from_static("l5d-client-id")];

/// What is told of one caller; made once for all that it sends on a connection.
#[derive(Debug)]
pub struct Signature {
    address: String,
    /// The same as `Forwarded` writes it (RFC 7239, section 6).
    node: String,
    identity: Option<HeaderValue>,
}

impl Signature {
    /// What is told of somebody at `address` who proved to be `identity`.
    pub fn of(address: IpAddr, identity: Option<&SpiffeId>) -> Self {
        let address = address.to_canonical();
        let node = if address.is_ipv6() { format!("for=\"[{address}]\"") } else { format!("for={address}") };
        let identity = identity.and_then(|identity| HeaderValue::try_from(identity.to_string()).ok());
        Self { address: address.to_string(), node, identity }
    }

    /// Signs a request that goes in `direction`.
    pub fn sign(&self, headers: &mut HeaderMap, direction: Direction, rule: Forwarded) {
        headers.remove(CLIENT_ID);
        if direction == Direction::Outbound {
            return;
        }
        for name in FOREIGN {
            headers.remove(name);
        }
        if let Some(identity) = &self.identity {
            headers.insert(CLIENT_ID, identity.clone());
        }
        match rule {
            Forwarded::Keep => {}
            Forwarded::Replace => {
                headers.remove(FORWARDED);
                headers.remove(FORWARDED_FOR);
                append(headers, FORWARDED_FOR, &self.address);
            }
            Forwarded::Append => {
                append(headers, FORWARDED_FOR, &self.address);
                // Who reads this one knows it from somebody before us; nobody is surprised by it.
                if headers.contains_key(FORWARDED) {
                    append(headers, FORWARDED, &self.node);
                }
            }
        }
    }
}

/// Adds `element` to the list that `name` is, as one line.
fn append(headers: &mut HeaderMap, name: HeaderName, element: &str) {
    let mut list = String::new();
    for value in headers.get_all(&name).iter().filter_map(|value| value.to_str().ok()) {
        // Writing to a string does not fail.
        let _ = write!(list, "{value}, ");
    }
    list.push_str(element);
    if let Ok(value) = HeaderValue::try_from(list) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(before: &[(&'static str, &'static str)], direction: Direction, rule: Forwarded) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in before {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let identity = "spiffe://cluster.local/ns/shop/sa/web".parse().unwrap();
        Signature::of("10.77.0.9".parse().unwrap(), Some(&identity)).sign(&mut headers, direction, rule);
        let mut all: Vec<_> =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        all.sort();
        all
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const ID: (&str, &str) = ("weft-client-id", "spiffe://cluster.local/ns/shop/sa/web");

    #[test]
    fn a_call_to_the_app_names_its_caller_and_no_stranger() {
        let before = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2"), ("weft-client-id", "root")];
        let before = [&before[..], &[("x-forwarded-client-cert", "URI=root"), ("forwarded", "for=1.1.1.1")]].concat();
        let expected = [("forwarded", "for=1.1.1.1, for=10.77.0.9"), ID, ("x-forwarded-for", "1.1.1.1, 2.2.2.2, 10.77.0.9")];
        assert_eq!(signed(&before, Direction::Inbound, Forwarded::Append), pairs(&expected));
        let expected = [ID, ("x-forwarded-for", "10.77.0.9")];
        assert_eq!(signed(&before, Direction::Inbound, Forwarded::Replace), pairs(&expected));
        assert_eq!(signed(&[], Direction::Inbound, Forwarded::Keep), pairs(&[ID]));
    }

    #[test]
    fn a_call_of_the_app_is_its_own_affair() {
        let before = [("weft-client-id", "root"), ("x-forwarded-for", "1.1.1.1")];
        assert_eq!(signed(&before, Direction::Outbound, Forwarded::Append), pairs(&[("x-forwarded-for", "1.1.1.1")]));
    }

    #[test]
    fn ipv6_is_quoted_where_it_must_be() {
        assert_eq!(Signature::of("fd96::1".parse().unwrap(), None).node, "for=\"[fd96::1]\"");
        assert_eq!(Signature::of("::ffff:10.0.0.1".parse().unwrap(), None).address, "10.0.0.1");
    }
}
