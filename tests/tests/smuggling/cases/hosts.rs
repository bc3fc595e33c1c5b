//! Whom a request is for.

use super::refused;
use crate::case::{Case, HOST, read_at};

pub fn cases() -> Vec<Case> {
    [numbers(), values(), good()].concat()
}

fn numbers() -> Vec<Case> {
    let with = |fields: &str| format!("GET /x HTTP/1.1\r\n{fields}\r\n").into_bytes();
    let mut cases = refused(
        "Host",
        [
            ("none", with("")),
            ("none, but a field that resembles it", with("X-Host: shop.test\r\n")),
            ("twice the same", with("Host: shop.test\r\nHost: shop.test\r\n")),
            ("two", with("Host: shop.test\r\nHost: other.test\r\n")),
            ("two in different cases", with("Host: shop.test\r\nhOST: other.test\r\n")),
            ("two, the first empty", with("Host:\r\nHost: shop.test\r\n")),
            ("two, apart", with("Host: shop.test\r\nX-Between: 1\r\nHost: shop.test\r\n")),
            ("two in HTTP/1.0", b"GET /x HTTP/1.0\r\nHost: shop.test\r\nHost: other.test\r\n\r\n".to_vec()),
        ],
    );
    // Neither nginx nor HAProxy can pass on what is not there.
    cases.push(
        Case::pass_and_close("no Host in HTTP/1.0", "GET /x HTTP/1.0\r\n\r\n", &[read_at("", "GET", "/x", "")])
            .except(&["nginx", "haproxy"]),
    );
    cases.push(Case::pass_or_refuse("an empty Host", with("Host:\r\n"), &[read_at("", "GET", "/x", "")]).except(&["nginx"]));
    cases
}

fn at(host: impl AsRef<[u8]>) -> Vec<u8> {
    [b"GET /x HTTP/1.1\r\nHost: ", host.as_ref(), b"\r\n\r\n"].concat()
}

fn values() -> Vec<Case> {
    let values: [&[u8]; 22] = [
        b"me@shop.test",
        b"me:secret@shop.test",
        b"shop.test/x",
        b"/shop.test",
        b"shop.test?x",
        b"shop.test#x",
        b"http://shop.test",
        b"shop test",
        b"shop\ttest",
        b"shop.test, other.test",
        b"shop.test:http",
        b"shop.test:80:80",
        b"shop.test:-80",
        b"shop.test:65536",
        b"shop.test:80 80",
        b"[::1",
        b"::1",
        b"[shop.test]",
        b"shop\\test",
        b"<shop>",
        b"sh\xf6p.test",
        b"shop.test\0",
    ];
    let mut cases: Vec<Case> =
        values.iter().map(|value| Case::refuse(&format!("Host: {}", value.escape_ascii()), at(value))).collect();
    cases.extend(
        ["shop.test:", "shop.test,other.test", "shop%2etest", "a{b}|c", "\"shop\""]
            .map(|host| Case::pass_or_refuse(&format!("perhaps Host: {host}"), at(host), &[read_at(host, "GET", "/x", "")])),
    );
    cases
}

fn good() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        "shop.test:8080",
        "shop",
        "SHOP.Test",
        "shop.test.",
        "a_b.test",
        "a-b.test",
        "127.0.0.1",
        "10.0.0.1:81",
        "[::1]",
        "[fd00::1]:81",
    ]
    .iter()
    .map(|host| Case::pass(&format!("Host {host}"), at(host), &[read_at(host, "GET", "/x", "")]))
    .collect();
    let last = format!("GET /x HTTP/1.1\r\nAccept: */*\r\nhost:{HOST}\r\n\r\n");
    cases.push(Case::pass("Host comes last", last, &[read_at(HOST, "GET", "/x", "")]));
    cases
}
