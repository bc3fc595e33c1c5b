//! Our records against rustls' own, and against everything that no peer should send.

use std::{
    io::{Read, Write},
    sync::Arc,
};

use bytes::BytesMut;
use proptest::{collection::vec, prelude::*};
use rustls::{
    ClientConfig, Connection, RootCertStore, ServerConfig, ServerConnection,
    client::{ClientConnection, UnbufferedClientConnection},
    server::UnbufferedServerConnection,
    version::TLS13,
};
use rustls_pki_types::{PrivateKeyDer, ServerName};

use super::{
    handshake::{Shaking, Side},
    record::{Alert, DATA_MAX, Fault, HEAD, kind},
    sealed::Sealed,
    session::{Opened, Session},
};

struct Configs {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

fn configs(tickets: usize) -> Configs {
    let own = rcgen::generate_simple_self_signed([String::from("peer")]).expect("a certificate");
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("a key");
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).expect("a root");
    let provider = certs::tls::provider();
    let client = ClientConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&TLS13]).expect("TLS 1.3");
    let mut client = client.with_root_certificates(roots).with_no_client_auth();
    let server = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]).expect("TLS 1.3");
    let mut server = server.with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key).expect("a pair");
    server.send_tls13_tickets = tickets;
    (client.enable_secret_extraction, server.enable_secret_extraction) = (true, true);
    Configs { client: Arc::new(client), server: Arc::new(server) }
}

fn name() -> ServerName<'static> {
    ServerName::try_from("peer").expect("a name")
}

fn shaking<S: Side>(side: S) -> Shaking<S> {
    Shaking { side, input: Vec::new(), out: Vec::new(), early: BytesMut::new() }
}

fn session<S: Side>(shaking: Shaking<S>) -> Session {
    assert!(shaking.out.is_empty());
    let left = shaking.leave().expect("secrets");
    assert!(left.partial.is_empty() && left.early.is_empty());
    left.session
}

/// Our session with rustls' own other end.
fn with_rustls(we_are_client: bool) -> (Session, Connection) {
    let Configs { client, server } = configs(2);
    if we_are_client {
        let ours = shaking(UnbufferedClientConnection::new(client, name()).expect("a client"));
        shake_with(ours, ServerConnection::new(server).expect("a server").into())
    } else {
        let ours = shaking(UnbufferedServerConnection::new(server).expect("a server"));
        shake_with(ours, ClientConnection::new(client, name()).expect("a client").into())
    }
}

fn shake_with<S: Side>(mut ours: Shaking<S>, mut theirs: Connection) -> (Session, Connection) {
    theirs.set_buffer_limit(None);
    loop {
        let done = ours.step().expect("no fault");
        hear(&mut theirs, &std::mem::take(&mut ours.out)).expect("no fault");
        let said = said(&mut theirs);
        if done && !theirs.is_handshaking() {
            // Tickets, which follow the handshake: the session hears them as any client does.
            let mut session = session(ours);
            assert!(session.open(&said, &mut BytesMut::new()).is_ok());
            return (session, theirs);
        }
        ours.input.extend_from_slice(&said);
    }
}

/// Both ends ours.
fn both() -> (Session, Session) {
    let Configs { client, server } = configs(0);
    let mut client = shaking(UnbufferedClientConnection::new(client, name()).expect("a client"));
    let mut server = shaking(UnbufferedServerConnection::new(server).expect("a server"));
    loop {
        let asked = client.step().expect("no fault");
        server.input.append(&mut client.out);
        let answered = server.step().expect("no fault");
        if asked && answered {
            let (client, server) = (session(client), session(server));
            return (client, server);
        }
        client.input.append(&mut server.out);
    }
}

/// What `bytes` bring to rustls' end.
fn hear(theirs: &mut Connection, mut bytes: &[u8]) -> Result<Vec<u8>, rustls::Error> {
    let mut data = Vec::new();
    while !bytes.is_empty() {
        theirs.read_tls(&mut bytes).expect("memory does not fail");
        theirs.process_new_packets()?;
        // It ends where nothing else has come yet.
        let _ = theirs.reader().read_to_end(&mut data);
    }
    Ok(data)
}

fn said(theirs: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while theirs.wants_write() {
        theirs.write_tls(&mut bytes).expect("memory does not fail");
    }
    bytes
}

/// Opens `wire` in pieces of `step` bytes, as sockets bring them.
fn open_slowly(session: &mut Session, wire: &[u8], step: usize) -> Result<BytesMut, Fault> {
    let (mut input, mut waiting) = (BytesMut::new(), Vec::new());
    for piece in wire.chunks(step) {
        waiting.extend_from_slice(piece);
        let Opened { used, .. } = session.open(&waiting, &mut input)?;
        waiting.drain(..used);
    }
    assert!(waiting.is_empty());
    Ok(input)
}

/// A length that has grown waits for more.
fn is_refused_or_waited_for(opened: Result<Opened, Fault>) -> bool {
    opened.map_or(true, |opened| opened == Opened { used: 0, closed: false })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_we_seal_rustls_opens_and_the_other_way_round(
        we_are_client: bool, pieces in vec(0..40_000usize, 1..6), step in 1..20_000usize,
    ) {
        let (mut session, mut theirs) = with_rustls(we_are_client);
        for (number, length) in (0..).zip(pieces) {
            let data: Vec<u8> = (0..length).map(|place| u8::try_from((place + number) % 251).unwrap_or(0)).collect();
            let mut out = Sealed::default();
            session.seal(&data, &mut out).unwrap();
            prop_assert_eq!(&hear(&mut theirs, &out).unwrap(), &data);
            theirs.writer().write_all(&data).unwrap();
            prop_assert_eq!(&open_slowly(&mut session, &said(&mut theirs), step).unwrap()[..], &data[..]);
        }
    }

    #[test]
    fn a_record_that_was_changed_is_refused_and_nothing_of_it_seen(place: prop::sample::Index, bit in 0..8u8) {
        let (mut client, mut server) = both();
        let mut wire = Sealed::default();
        client.seal(b"attack at dawn", &mut wire).unwrap();
        // The version in a record's head means nothing to anybody, but it is authenticated.
        let place = place.index(wire.len());
        wire[place] ^= 1 << bit;
        let mut input = BytesMut::new();
        let opened = server.open(&wire, &mut input);
        prop_assert!(is_refused_or_waited_for(opened));
        prop_assert!(input.is_empty());
    }

    #[test]
    fn noise_is_refused(noise in vec(any::<u8>(), 0..200), is_protected: bool) {
        let (_, mut server) = both();
        let mut wire = noise.clone();
        if is_protected && wire.len() > HEAD {
            let [high, low] = u16::try_from(wire.len() - HEAD).unwrap().to_be_bytes();
            wire[..HEAD].copy_from_slice(&[kind::DATA, 3, 3, high, low]);
        }
        let mut input = BytesMut::new();
        let opened = server.open(&wire, &mut input);
        prop_assert!(is_refused_or_waited_for(opened));
        prop_assert!(input.is_empty());
    }
}

#[test]
fn keys_are_renewed_by_either_end() {
    for we_are_client in [true, false] {
        let (mut session, mut theirs) = with_rustls(we_are_client);
        for _ in 0..3 {
            theirs.refresh_traffic_keys().expect("TLS 1.3");
            theirs.writer().write_all(b"after theirs").expect("memory does not fail");
            let (mut input, mut out) = (BytesMut::new(), Sealed::default());
            session.open(&said(&mut theirs), &mut input).expect("a new key");
            assert_eq!(&input[..], b"after theirs");
            session.renew(&mut out).expect("a new key");
            session.seal(b"after ours", &mut out).expect("a record");
            assert_eq!(hear(&mut theirs, &out).expect("a new key"), b"after ours");
        }
    }
}

#[test]
fn who_asks_for_a_new_key_gets_one_before_anything_else_however_often_he_asks() {
    let (mut client, mut server) = both();
    let (mut input, mut out) = (BytesMut::new(), Sealed::default());
    for _ in 0..3 {
        let mut wire = Sealed::default();
        client.seal(b"data", &mut wire).unwrap();
        client.seal_one(kind::HANDSHAKE, &[24, 0, 0, 1, 1], &mut wire).unwrap();
        client.next_key().unwrap();
        server.open(&wire, &mut input).unwrap_or_else(|fault| panic!("{fault}"));
    }
    server.seal(b"answer", &mut out).unwrap();
    server.seal(b"more", &mut out).unwrap();
    // A record for the new key, and one for each piece.
    assert_eq!(out.len(), 3 * (HEAD + 17) + 5 + 6 + 4);
    input.clear();
    client.open(&out, &mut input).unwrap();
    assert_eq!(&input[..], b"answermore");
}

#[test]
fn a_goodbye_is_told_from_a_cut() {
    let (mut session, mut theirs) = with_rustls(true);
    let mut out = Sealed::default();
    session.close(&mut out).expect("a record");
    hear(&mut theirs, &out).expect("a goodbye");
    assert_eq!(theirs.reader().read(&mut [0; 1]).expect("the end"), 0);
    theirs.writer().write_all(b"last").expect("memory does not fail");
    theirs.send_close_notify();
    let mut wire = said(&mut theirs);
    wire.extend_from_slice(b"what follows means nothing");
    let mut input = BytesMut::new();
    let opened = session.open(&wire, &mut input).expect("a goodbye");
    assert_eq!((opened, &input[..]), (Opened { used: wire.len(), closed: true }, &b"last"[..]));
}

#[test]
fn what_no_peer_should_send_is_refused_by_name() {
    let cases: [(u8, &[u8], Fault); 10] = [
        (kind::ALERT, &[2, 40], Fault::Told(40)),
        (kind::ALERT, &[2], Alert::DecodeError.into()),
        (kind::HANDSHAKE, &[], Alert::UnexpectedMessage.into()),
        (kind::HANDSHAKE, &[24, 0, 0, 1], Alert::DecodeError.into()),
        (kind::HANDSHAKE, &[24, 0, 0, 1, 2], Alert::IllegalParameter.into()),
        (kind::HANDSHAKE, &[24, 0, 0, 2, 0, 0], Alert::DecodeError.into()),
        (kind::HANDSHAKE, &[24, 0, 0, 1, 0, 24, 0, 0, 1, 0], Alert::UnexpectedMessage.into()),
        (kind::HANDSHAKE, &[1, 0, 0, 0], Alert::UnexpectedMessage.into()),
        (20, &[1], Alert::UnexpectedMessage.into()),
        // Padding alone.
        (0, &[0, 0, 0], Alert::UnexpectedMessage.into()),
    ];
    for (kind, content, fault) in cases {
        let (mut client, mut server) = both();
        let (mut wire, mut input) = (Sealed::default(), BytesMut::new());
        client.seal_one(kind, content, &mut wire).unwrap();
        assert_eq!(server.open(&wire, &mut input), Err(fault), "{kind} {content:?}");
        assert!(input.is_empty());
    }
}

#[test]
fn padding_is_taken_off_and_too_much_content_refused() {
    let (mut client, mut server) = both();
    let (mut wire, mut input) = (Sealed::default(), BytesMut::new());
    client.seal_one(0, b"padded\x17\0\0\0", &mut wire).unwrap();
    server.open(&wire, &mut input).unwrap();
    assert_eq!(&input[..], b"padded");
    wire.clear();
    client.seal_one(kind::DATA, &[1; DATA_MAX + 1], &mut wire).unwrap();
    assert_eq!(server.open(&wire, &mut input), Err(Alert::RecordOverflow.into()));
    assert_eq!(&input[..], b"padded");
}

#[test]
fn records_without_data_are_borne_for_a_while() {
    let (mut client, mut server) = both();
    let mut input = BytesMut::new();
    let mut send = |times: usize| {
        let mut wire = Sealed::default();
        (0..times).for_each(|_| client.seal_one(kind::DATA, &[], &mut wire).unwrap());
        server.open(&wire, &mut input)
    };
    assert!(send(32).is_ok());
    assert_eq!(send(1), Err(Alert::UnexpectedMessage.into()));
}

/// Shakes hands with rustls' own end until either gives up; says what we had to say last.
fn shake_to_the_end<S: Side>(mut ours: Shaking<S>, mut theirs: Connection) -> (rustls::Error, Vec<u8>) {
    loop {
        let step = ours.step();
        let out = std::mem::take(&mut ours.out);
        if let Err(error) = step {
            return (error, out);
        }
        let _ = hear(&mut theirs, &out);
        ours.input.extend_from_slice(&said(&mut theirs));
    }
}

#[test]
fn a_peer_is_told_why_its_handshake_is_refused() {
    let (trusted, other) = (configs(0), configs(0));
    // A client that does not know the server's root tells it so, in the clear record that comes before any key of the server's.
    let ours = shaking(UnbufferedClientConnection::new(trusted.client, name()).expect("a client"));
    let (error, told) = shake_to_the_end(ours, ServerConnection::new(other.server).expect("a server").into());
    assert!(matches!(error, rustls::Error::InvalidCertificate(_)), "{error}");
    assert!(!told.is_empty());
    // A server whose certificate is refused hears of it.
    let ours = shaking(UnbufferedServerConnection::new(trusted.server).expect("a server"));
    let (error, _) = shake_to_the_end(ours, ClientConnection::new(other.client, name()).expect("a client").into());
    assert!(matches!(error, rustls::Error::AlertReceived(_)), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_handshake_that_was_spoilt_panics(we_are_client: bool, place: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let Configs { client, server } = configs(0);
        let mut theirs = Connection::from(ClientConnection::new(client.clone(), name()).expect("a client"));
        if we_are_client {
            let mut ours = shaking(UnbufferedClientConnection::new(client, name()).expect("a client"));
            ours.step().expect("a hello");
            theirs = ServerConnection::new(server).expect("a server").into();
            hear(&mut theirs, &ours.out).expect("a good hello");
            step_through(ours, spoilt(said(&mut theirs), place, byte), cut);
        } else {
            let ours = shaking(UnbufferedServerConnection::new(server).expect("a server"));
            step_through(ours, spoilt(said(&mut theirs), place, byte), cut);
        }
    }
}

fn spoilt(mut wire: Vec<u8>, place: prop::sample::Index, byte: u8) -> Vec<u8> {
    let place = place.index(wire.len());
    wire[place] = byte;
    wire
}

/// Lets it read `wire` in two pieces.
fn step_through<S: Side>(mut ours: Shaking<S>, wire: Vec<u8>, cut: prop::sample::Index) {
    let (first, second) = wire.split_at(cut.index(wire.len()));
    for piece in [first, second] {
        ours.input.extend_from_slice(piece);
        if ours.step().is_err() {
            return;
        }
    }
}

#[test]
fn a_handshake_that_ends_amid_a_message_is_none() {
    let Configs { client, server } = configs(0);
    let mut ours = shaking(UnbufferedClientConnection::new(client, name()).expect("a client"));
    let mut theirs = shaking(UnbufferedServerConnection::new(server).expect("a server"));
    while !(ours.step().expect("no fault") && theirs.step().expect("no fault")) {
        theirs.input.append(&mut ours.out);
        theirs.step().expect("no fault");
        ours.input.append(&mut theirs.out);
    }
    theirs.step().expect("no fault");
    let mut theirs = session(theirs);
    // A ticket of 200 bytes, of which the first ten come.
    let mut wire = Sealed::default();
    theirs.seal_one(kind::HANDSHAKE, &[4, 0, 0, 200, 0, 0, 0, 0, 0, 0], &mut wire).expect("a record");
    ours.input.extend_from_slice(&wire);
    assert!(ours.step().expect("nothing wrong so far"));
    assert!(ours.leave().is_err());
}
