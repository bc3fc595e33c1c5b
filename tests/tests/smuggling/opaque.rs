//! Where no protocol is declared, what is not HTTP is carried untouched; what begins as HTTP is held to its rules.

use tests::{Mesh, manifests, script};

use crate::{
    answer::read_answers,
    backends::{Way, undeclared_server},
    case::{HOST, post},
    exchange::{self, APART, Came, PATIENT, Sequence, text},
    report::Complaints,
};

/// Nothing of it is a whole request line of HTTP/1.
const OPAQUE: [&[u8]; 12] = [
    b"get key\r\n",
    b"PING\r\n",
    b"GET /x\r\n",
    b"EHLO client.test\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"\0\x01\x02\x03\r\n",
    b"GET /x HTTP/9.9\r\nHost: shop.test\r\n\r\n",
    b"GET /x http/1.1\r\nHost: shop.test\r\n\r\n",
    b"GET\t/x HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    b"G@T /x HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    b"hello\nGET /x HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    b"quit now\r\nGET /x HTTP/1.1\r\nTransfer-Encoding: chunked\nContent-Length: 5\r\n\r\n\xff\xfe",
];

#[test]
fn what_is_not_http_passes_untouched_through_two_sidecars() {
    try_echo(Way::Mesh);
}

#[test]
fn what_is_not_http_passes_untouched_from_outside_the_mesh() {
    try_echo(Way::Inbound);
}

#[test]
fn what_is_not_http_passes_untouched_to_servers_outside_the_mesh() {
    try_echo(Way::Outbound);
}

fn try_echo(way: Way) {
    let echo = undeclared_server(way, "echo", &["python3", &script("smuggling/echo.py"), "8080"]);
    let mesh = Mesh::up(&manifests(&[echo, exchange::outside()]));
    mesh.ready("echo-0");
    let malformed =
        post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", format!("0\r\n\r\nGET /y HTTP/1.1\r\nHost: {HOST}\r\n\r\n"));
    let sent: Vec<&[u8]> = OPAQUE.into_iter().chain([malformed.as_slice()]).collect();
    let sequences: Vec<Sequence> = sent.iter().map(|bytes| sequence(bytes)).collect();
    let told = exchange::send(&mesh, way, &sequences);
    let mut wrong = Complaints::default();
    for (number, bytes) in sent.iter().enumerate() {
        let judge = if number < OPAQUE.len() { echoed } else { refused };
        let why = match told.of("echo", number) {
            [came] => judge(bytes, came).err(),
            other => Some(format!("{} things became of it", other.len())),
        };
        wrong.add("echo", "undeclared", (bytes, told.of("echo", number)), why.into_iter().collect());
    }
    wrong.report(way);
}

/// Its own echo ends it.
fn sequence(bytes: &[u8]) -> Sequence {
    Sequence { services: vec!["echo"], pieces: vec![bytes.to_vec()], pause: APART, until: text(bytes), patience: PATIENT }
}

fn echoed(bytes: &[u8], came: &Came) -> Result<(), String> {
    if came.bytes == bytes { Ok(()) } else { Err(format!("{} came back, and then: {}", came.bytes.escape_ascii(), came.end)) }
}

fn refused(_: &[u8], came: &Came) -> Result<(), String> {
    match &read_answers(&came.bytes, &["POST"], true)?[..] {
        [refusal] if refusal.refuses("bad_request") => Ok(()),
        other => Err(format!("{other:?} instead of a refusal, and then: {}", came.end)),
    }
}
