//! State-of-the-world discovery, as gRPC's own clients use it.

use wire::{envoy::service::discovery::v3::DiscoveryRequest, names};

use crate::control::{CART, CLUSTER, Control, WEB};

fn ask(type_url: &str, names: &[&str]) -> DiscoveryRequest {
    let resource_names = names.iter().map(|name| (*name).to_owned()).collect();
    DiscoveryRequest { type_url: type_url.to_owned(), resource_names, ..Default::default() }
}

#[tokio::test]
async fn all_of_a_type_is_told_to_those_who_name_none() {
    let control = Control::start();
    let mut stream = control.discover_world(WEB, &control.web().await, ask(names::CLUSTER, &[])).await.unwrap();
    assert_eq!(stream.next().await.unwrap().resources.len(), 1);
}

#[tokio::test]
async fn a_change_is_told_whole_and_an_acknowledgement_is_not_answered() {
    let control = Control::start();
    let wanted = ask(names::CLUSTER_LOAD_ASSIGNMENT, &[CLUSTER]);
    let mut stream = control.discover_world(WEB, &control.web().await, wanted.clone()).await.unwrap();
    let first = stream.next().await.unwrap();
    stream.ask(DiscoveryRequest { version_info: first.version_info.clone(), response_nonce: first.nonce, ..wanted });
    assert!(stream.is_silent().await);
    control.slice(&[CART, WEB]);
    let second = stream.next().await.unwrap();
    assert_ne!(first.version_info, second.version_info);
    assert_eq!(second.resources.len(), 1);
}
