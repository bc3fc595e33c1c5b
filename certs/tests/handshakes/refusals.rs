//! Every refusal, on both sides of the handshake, by its reason.

use std::sync::Arc;

use certs::{
    name::NameError,
    store::{ClientAuth, Identity, IdentityError},
    tls,
    verify::{VerifyError, explain},
};
use rcgen::SanType;
use rustls::{ClientConfig, PeerIncompatible, ServerConfig};

use crate::parties::{ALIVE, Handmade, Made, Refused, authority, domain, id, identity, shake, uri};

const CART: &str = "spiffe://cluster.local/ns/shop/sa/cart";

/// Why a client refuses this server.
fn by_client(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> VerifyError {
    match shake(client, server) {
        Err(Refused::ByClient(error)) => explain(&error).unwrap_or_else(|| panic!("not about the certificate: {error}")),
        Err(Refused::ByServer(error)) => panic!("the server refused: {error}"),
        Ok(_) => panic!("nobody refused"),
    }
}

/// Why a server refuses this client.
fn by_server(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> VerifyError {
    match shake(client, server) {
        Err(Refused::ByServer(error)) => explain(&error).unwrap_or_else(|| panic!("not about the certificate: {error}")),
        Err(Refused::ByClient(error)) => panic!("the client refused: {error}"),
        Ok(_) => panic!("nobody refused"),
    }
}

/// Why a certificate is refused by all who could be shown it: a client (that expects cart), a server, and he who would show it.
/// They agree.
fn by_everybody(root: &Handmade, made: &Made) -> VerifyError {
    let member = root.member("member");
    let reasons = [
        by_client(member.mesh_client(&id("cart")), made.server()),
        by_server(made.client(&root.bundle(), &id("member")), member.mesh_server()),
        match root.joined(made) {
            Err(IdentityError::NotBelieved(why)) => why,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it was believed"),
        },
    ];
    let kinds = reasons.each_ref().map(std::mem::discriminant);
    assert!(kinds[0] == kinds[1] && kinds[0] == kinds[2], "{reasons:?}");
    reasons.into_iter().next().unwrap()
}

#[test]
fn another_identity_than_expected_is_refused_and_both_are_named() {
    let authority = authority();
    let (web, cart) = (identity(&authority, "web"), identity(&authority, "cart"));
    let refusal = by_client(web.mesh_client(&id("stock")), cart.mesh_server());
    assert_eq!(refusal, VerifyError::WrongIdentity { expected: id("stock"), presented: id("cart") });
}

#[test]
fn a_foreign_root_is_refused_by_both_sides_and_the_roots_of_both_are_named() {
    let (ours, theirs) = (Handmade::new("ours"), Handmade::new("theirs"));
    let unknown = VerifyError::UnknownIssuer { issuer: String::from("CN=theirs"), trusted: String::from("`CN=ours`") };
    let rogue = theirs.leaf(vec![uri(CART)], ALIVE);
    let web = ours.member("web");
    assert_eq!(by_client(web.mesh_client(&id("cart")), rogue.server()), unknown);
    assert_eq!(by_server(rogue.client(&ours.bundle(), &id("web")), web.mesh_server()), unknown);
    let joined =
        Identity::from_pem(rogue.certificate.as_bytes(), rogue.key.as_bytes(), &ours.bundle(), std::time::SystemTime::now());
    assert!(matches!(joined, Err(IdentityError::NotBelieved(why)) if why == unknown));
}

#[test]
fn a_bundle_of_both_roots_believes_members_of_either() {
    let (old, new) = (Handmade::new("old"), Handmade::new("new"));
    let both = old.bundle().merge(&new.bundle());
    assert_eq!(both, both.clone().merge(&old.bundle()), "a root is not held twice");
    for root in [&old, &new] {
        let made = root.leaf(vec![uri(CART)], ALIVE);
        let cart = Identity::from_pem(made.certificate.as_bytes(), made.key.as_bytes(), &both, std::time::SystemTime::now());
        shake(tls_client(&both), cart.unwrap().grpc_server(ClientAuth::Optional).unwrap()).unwrap();
    }
}

fn tls_client(bundle: &certs::bundle::Bundle) -> Arc<ClientConfig> {
    tls::bootstrap_client(bundle, &id("cart"))
}

#[test]
fn a_root_of_the_same_name_does_not_pass_for_ours() {
    let (ours, theirs) = (Handmade::new("root"), Handmade::new("root"));
    let rogue = theirs.leaf(vec![uri(CART)], ALIVE);
    let web = ours.member("web");
    assert_eq!(by_client(web.mesh_client(&id("cart")), rogue.server()), VerifyError::BadSignature);
    assert_eq!(by_server(rogue.client(&ours.bundle(), &id("web")), web.mesh_server()), VerifyError::BadSignature);
}

#[test]
fn a_client_without_a_certificate_is_refused_where_one_is_required() {
    let authority = authority();
    let cart = identity(&authority, "cart");
    let anonymous = || {
        let mut config = (*tls_client(authority.bundle())).clone();
        config.alpn_protocols = vec![tls::MESH_ALPN.to_vec(), b"h2".to_vec()];
        Arc::new(config)
    };
    for server in [cart.mesh_server(), cart.grpc_server(ClientAuth::Required).unwrap()] {
        let refused = shake(anonymous(), server).unwrap_err();
        assert!(matches!(refused, Refused::ByServer(rustls::Error::NoCertificatesPresented)), "{refused:?}");
    }
}

#[test]
fn a_bad_certificate_is_refused_even_where_none_is_required() {
    let root = Handmade::new("root");
    let expired = root.leaf(vec![uri(CART)], -2..-1);
    let mut client = (*expired.client(&root.bundle(), &id("web"))).clone();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let refusal = by_server(Arc::new(client), root.member("web").grpc_server(ClientAuth::Optional).unwrap());
    assert!(matches!(refusal, VerifyError::Expired { .. }), "{refusal}");
}

#[test]
fn a_peer_of_another_trust_domain_is_refused() {
    let root = Handmade::new("root");
    let stranger = root.leaf(vec![uri("spiffe://elsewhere/ns/shop/sa/cart")], ALIVE);
    let cart = root.member("cart");
    let (expected, presented) = (domain(), "elsewhere".parse().unwrap());
    assert_eq!(
        by_server(stranger.client(&root.bundle(), &id("cart")), cart.mesh_server()),
        VerifyError::WrongTrustDomain { expected, presented },
    );
    let refusal = by_client(cart.mesh_client(&id("cart")), stranger.server());
    let presented = "spiffe://elsewhere/ns/shop/sa/cart".parse().unwrap();
    assert_eq!(refusal, VerifyError::WrongIdentity { expected: id("cart"), presented });
}

#[test]
fn a_certificate_outside_of_its_time_is_refused_with_both_clocks() {
    let root = Handmade::new("root");
    let late = by_everybody(&root, &root.leaf(vec![uri(CART)], -2..-1));
    assert!(matches!(late, VerifyError::Expired { not_after, now } if now - not_after >= 3600), "{late}");
    let early = by_everybody(&root, &root.leaf(vec![uri(CART)], 1..2));
    assert!(matches!(early, VerifyError::NotYetValid { not_before, now } if not_before - now > 3500), "{early}");
}

#[test]
fn a_certificate_must_have_exactly_one_uri() {
    let root = Handmade::new("root");
    let two = root.leaf(vec![uri(CART), uri("spiffe://cluster.local/ns/shop/sa/web")], ALIVE);
    assert_eq!(by_everybody(&root, &two), VerifyError::NotOneName(2));
    let dns = root.leaf(vec![SanType::DnsName("cart.shop".try_into().unwrap())], ALIVE);
    assert_eq!(by_everybody(&root, &dns), VerifyError::NotOneName(0));
    assert_eq!(by_everybody(&root, &root.leaf(Vec::new(), ALIVE)), VerifyError::NotOneName(0));
}

#[test]
fn a_uri_that_is_no_text_counts_like_any_other() {
    let root = Handmade::new("root");
    let beside = root.leaf_of_raw_uris(&[CART.as_bytes(), b"spiffe://\xff\xfe"]);
    assert_eq!(by_everybody(&root, &beside), VerifyError::NotOneName(2));
    let alone = root.leaf_of_raw_uris(&[b"spiffe://\xff\xfe"]);
    assert!(matches!(by_everybody(&root, &alone), VerifyError::Name(NameError::Form(_))));
}

#[test]
fn a_name_that_is_no_identity_of_a_mesh_is_refused() {
    let root = Handmade::new("root");
    for name in ["https://cluster.local/cart", "spiffe://cluster.local/cart", "spiffe://cluster.local/ns/shop/sa/cart#x"] {
        let refusal = by_everybody(&root, &root.leaf(vec![uri(name)], ALIVE));
        assert!(matches!(refusal, VerifyError::Name(_)), "{name}: {refusal}");
    }
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    let root = Handmade::new("root");
    let (one, other) = (root.leaf(vec![uri(CART)], ALIVE), root.leaf(vec![uri(CART)], ALIVE));
    let joined = root.joined(&Made { certificate: one.certificate, key: other.key });
    assert!(matches!(joined, Err(IdentityError::ForeignKey)), "{joined:?}");
}

#[test]
fn a_client_that_knows_only_tls_1_2_gets_no_connection() {
    let old = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let refused = shake(Arc::new(old), identity(&authority(), "cart").mesh_server()).unwrap_err();
    let Refused::ByServer(rustls::Error::PeerIncompatible(why)) = refused else { panic!("{refused:?}") };
    assert_eq!(why, PeerIncompatible::Tls12NotOfferedOrEnabled);
}

#[test]
fn a_client_of_another_protocol_gets_no_connection() {
    let authority = authority();
    let (web, cart) = (identity(&authority, "web"), identity(&authority, "cart"));
    let refused = shake(web.grpc_client(cart.id()), cart.mesh_server()).unwrap_err();
    assert!(matches!(refused, Refused::ByServer(rustls::Error::NoApplicationProtocol)), "{refused:?}");
}
