//! From policies, as they are written, to the index's nouns: the same for each source.

use super::mistake::Mistake;
use crate::{
    index::{Edition, Key, PeerAuthentication, Proof},
    manifest::policies::{MutualTls, PeerAuthenticationSpec},
};

/// What `spec` says, and what in it means nothing. Whatever cannot be read asks for proof: it was not meant to let more in.
pub(super) fn peer_authentication(key: Key, made: i64, spec: &PeerAuthenticationSpec) -> (PeerAuthentication, Vec<Mistake>) {
    let mut mistakes = Vec::new();
    let mut proof = |field: String, said: &MutualTls| match said.mode.as_str() {
        "STRICT" => Some(Proof::Required),
        "PERMISSIVE" => Some(Proof::Welcome),
        "" | "UNSET" => None,
        other => {
            let what = format!("`{other}` is not a mode: expected STRICT, PERMISSIVE or UNSET");
            mistakes.push(Mistake { field: format!("{field}.mode"), what });
            Some(Proof::Required)
        }
    };
    let everywhere = spec.mtls.as_ref().and_then(|said| proof(String::from("spec.mtls"), said));
    let ports = spec.port_level_mtls.iter().map(|(port, said)| {
        let field = format!("spec.portLevelMtls.{port}");
        (port.parse::<u16>().ok().filter(|port| *port > 0), proof(field.clone(), said), field)
    });
    let ports: Vec<_> = ports.collect();
    let selector = spec.selector.clone().unwrap_or_default().match_labels;
    if !ports.is_empty() && selector.is_empty() {
        let what = String::from("single ports are those of selected pods: add spec.selector");
        mistakes.push(Mistake { field: String::from("spec.portLevelMtls"), what });
    }
    let unreadable = ports.iter().filter(|(port, ..)| port.is_none());
    mistakes.extend(
        unreadable
            .map(|(_, _, field)| Mistake { field: field.clone(), what: String::from("a port is a number from 1 to 65535") }),
    );
    let ports = ports.into_iter().filter_map(|(port, proof, _)| port.zip(proof)).collect();
    let told = mistakes.iter().map(Mistake::to_string).collect();
    let edition = Edition::default();
    (PeerAuthentication { key, made, edition, selector, proof: everywhere, ports, mistakes: told }, mistakes)
}

/// One of which nothing can be read, as `why` says: it asks for proof.
pub(super) fn unreadable(key: Key, made: i64, why: &Mistake) -> PeerAuthentication {
    let strict = MutualTls { mode: String::from("STRICT") };
    let spec = PeerAuthenticationSpec { mtls: Some(strict), ..PeerAuthenticationSpec::default() };
    let (read, _) = peer_authentication(key, made, &spec);
    PeerAuthentication { mistakes: vec![why.to_string()], ..read }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(spec: Value) -> (PeerAuthentication, Vec<Mistake>) {
        let key = Key { namespace: "shop".into(), name: "a".into() };
        peer_authentication(key, 1, &serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn modes_are_read() {
        let (found, mistakes) = read(json!({
            "selector": { "matchLabels": { "app": "cart" } }, "mtls": { "mode": "STRICT" },
            "portLevelMtls": { "9090": { "mode": "PERMISSIVE" }, "9091": {} },
        }));
        assert_eq!((found.proof, found.ports), (Some(Proof::Required), [(9090, Proof::Welcome)].into()));
        assert!(mistakes.is_empty() && read(json!({})).1.is_empty());
    }

    #[test]
    fn what_means_nothing_is_told_and_lets_nobody_in() {
        let (found, mistakes) =
            read(json!({ "mtls": { "mode": "strict" }, "portLevelMtls": { "http": {}, "80": { "mode": "x" } } }));
        assert_eq!((found.proof, found.ports.get(&80)), (Some(Proof::Required), Some(&Proof::Required)));
        let fields: Vec<&str> = mistakes.iter().map(|mistake| mistake.field.as_str()).collect();
        assert_eq!(fields, ["spec.mtls.mode", "spec.portLevelMtls.80.mode", "spec.portLevelMtls", "spec.portLevelMtls.http"]);
    }
}
