//! Who is believed and who is refused, in real TLS handshakes in memory.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test says what went wrong by panicking, and has a clock")]

mod parties;
mod refusals;

use std::{
    io::{Read, Write},
    sync::Arc,
};

use certs::{request::Pending, store::ClientAuth, tls, verify::peer_id};
use parties::{authority, feed, id, identity, shake};

#[test]
fn two_members_prove_themselves_with_post_quantum_keys_and_our_alpn() {
    let authority = authority();
    let (web, cart) = (identity(&authority, "web"), identity(&authority, "cart"));
    let (mut client, mut server) = shake(web.mesh_client(cart.id()), cart.mesh_server()).unwrap();
    assert_eq!(client.negotiated_key_exchange_group().unwrap().name(), rustls::NamedGroup::X25519MLKEM768);
    assert_eq!(client.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!((client.alpn_protocol(), server.alpn_protocol()), (Some(tls::MESH_ALPN), Some(tls::MESH_ALPN)));
    assert_eq!(peer_id(&server.peer_certificates().unwrap()[0]).unwrap(), id("web"));
    assert_eq!(peer_id(&client.peer_certificates().unwrap()[0]).unwrap(), id("cart"));
    assert_eq!(client.peer_certificates().unwrap().len(), 1, "peers have the roots already");
    client.writer().write_all(b"x").unwrap();
    let mut wire = Vec::new();
    client.write_tls(&mut wire).unwrap();
    feed(&wire, |bytes| server.read_tls(bytes));
    server.process_new_packets().unwrap();
    let mut byte = [0];
    server.reader().read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"x");
}

#[test]
fn a_second_handshake_is_as_full_as_the_first() {
    let authority = authority();
    let (web, cart) = (identity(&authority, "web"), identity(&authority, "cart"));
    for _ in 0..2 {
        let (client, server) = shake(web.mesh_client(cart.id()), cart.mesh_server()).unwrap();
        assert_eq!(client.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert_eq!((client.tls13_tickets_received(), server.handshake_kind()), (0, Some(rustls::HandshakeKind::Full)));
    }
}

#[test]
fn a_client_without_a_certificate_is_served_where_none_is_required() {
    let authority = authority();
    let cart = identity(&authority, "cart");
    let anonymous = tls::bootstrap_client(authority.bundle(), &id("cart"));
    let (client, server) = shake(anonymous, cart.grpc_server(ClientAuth::Optional).unwrap()).unwrap();
    assert_eq!((client.alpn_protocol(), server.peer_certificates()), (Some(&b"h2"[..]), None));
}

#[test]
fn configurations_are_made_once_per_expected_identity() {
    let authority = authority();
    let web = identity(&authority, "web");
    assert!(Arc::ptr_eq(&web.mesh_client(&id("cart")), &web.mesh_client(&id("cart"))));
    assert!(!Arc::ptr_eq(&web.mesh_client(&id("cart")), &web.mesh_client(&id("stock"))));
    assert!(Arc::ptr_eq(&web.mesh_server(), &web.mesh_server()));
}

#[test]
fn what_holds_a_key_never_shows_it() {
    let authority = authority();
    assert_eq!(format!("{:?}", Pending::new().unwrap()), "Pending { .. }");
    let web = identity(&authority, "web");
    assert_eq!(format!("{web:?}"), format!("Identity {{ id: {:?}, serial: {:?}, .. }}", web.id(), web.serial()));
    let shown = format!("{authority:?}");
    assert!(shown.starts_with("Authority { not_after: ") && shown.ends_with(", .. }"), "{shown}");
}
