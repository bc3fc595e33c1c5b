//! What concerns the connection: its options, expectations, upgrades, and what follows a refusal.

use crate::case::{Case, HOST, get, got, post, posted, read};

pub fn cases() -> Vec<Case> {
    [options(), expectations(), upgrades(), behind_good_ones()].concat()
}

/// A client must not be able to take off what tells where its message ends or goes.
fn options() -> Vec<Case> {
    let named = |name: &str, fields: &str, body: &str, read: &str| {
        Case::pass_or_refuse(&format!("Connection names {name}"), post(fields, body), &[posted(read)])
    };
    vec![
        named("Content-Length", "Connection: Content-Length\r\nContent-Length: 5\r\n", "hello", "hello"),
        named("Content-Length and more", "Connection: keep-alive, content-length, x\r\nContent-Length: 5\r\n", "hello", "hello"),
        named(
            "Transfer-Encoding",
            "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "hello",
        ),
        named("Host", "Connection: Host\r\nContent-Length: 5\r\n", "hello", "hello"),
        Case::pass("Connection of commas", get("Connection: , ,\r\n"), &[got()]),
        Case::pass("an empty Connection", get("Connection:\r\n"), &[got()]),
        Case::pass("Proxy-Connection", get("Proxy-Connection: keep-alive\r\n"), &[got()]),
        Case::pass_or_refuse("Connection names what is not a name", get("Connection: a b, (c)\r\n"), &[got()]),
        Case::refuse("Connection with a control byte", get("Connection: close\x0b\r\n")),
        Case::pass_and_close("close in a second field", get("Connection: X-Hop\r\nConnection: close\r\n"), &[got()]),
        Case::pass_and_close(
            "close of a request with a body",
            post("Connection: close\r\nContent-Length: 2\r\n", "ab"),
            &[posted("ab")],
        ),
    ]
}

fn expectations() -> Vec<Case> {
    let with = |value: &str| {
        let bytes = post(format!("Expect: {value}\r\nContent-Length: 5\r\n"), "hello");
        Case::pass_or_refuse(&format!("Expect: {value}"), bytes, &[posted("hello")])
    };
    let chunks = post("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n");
    let old = format!("POST /x HTTP/1.0\r\nHost: {HOST}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
    vec![
        with("200-ok"),
        with("100-continue, 200-ok"),
        with(""),
        with("100-Continue"),
        Case::pass("expecting 100-continue of chunks", chunks, &[posted("hello")]),
        Case::pass("expecting 100-continue without a body", get("Expect: 100-continue\r\n"), &[got()]),
        // RFC 9110, section 10.1.1: in HTTP/1.0 it means nothing.
        Case::pass_and_close("expecting 100-continue in HTTP/1.0", old, &[posted("hello")]),
    ]
}

/// None of the backends changes its protocol, so all that follows are requests.
fn upgrades() -> Vec<Case> {
    let websocket = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let length = format!("{websocket}Content-Length: 5\r\n");
    let chunked = format!("{websocket}Transfer-Encoding: chunked\r\n");
    let old = format!("GET /x HTTP/1.0\r\nHost: {HOST}\r\n{websocket}\r\n");
    vec![
        Case::pass("a WebSocket that the server does not want", get(websocket), &[got()]),
        Case::pass("an Upgrade that Connection does not name", get("Upgrade: websocket\r\n"), &[got()]),
        Case::pass("an upgrade to something unheard of", get("Upgrade: morse/1\r\nConnection: upgrade\r\n"), &[got()]),
        Case::pass_or_refuse("an upgrade to h2c", get(h2c), &[got()]),
        Case::pass_or_refuse("an upgrade with a body", post(length, "hello"), &[posted("hello")]),
        Case::pass_or_refuse("an upgrade with chunks", post(chunked, "5\r\nhello\r\n0\r\n\r\n"), &[posted("hello")]),
        Case::pass_and_close("an upgrade in HTTP/1.0", old, &[got()]),
    ]
}

/// A good request is answered; the malformed one behind it is refused, and nothing behind that is looked at.
fn behind_good_ones() -> Vec<Case> {
    let after =
        |name: &str, bad: Vec<u8>| Case::refuse_after(&format!("behind a good one: {name}"), [get(""), bad].concat(), &[got()]);
    let body = [post("Content-Length: 2\r\n", "ab"), b"garbage\r\n\r\n".to_vec()].concat();
    let chunks = [post("Transfer-Encoding: chunked\r\n", "2\r\nab\r\n0\r\n\r\n"), b"0\r\n\r\n".to_vec()].concat();
    let head = format!("HEAD /x HTTP/1.1\r\nHost: {HOST}\r\n\r\nGET /x HTTP/1.1\nHost: {HOST}\r\n\r\n");
    vec![
        after("a bare LF", get("X-Bare: 1\n")),
        after("a coding and a length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")),
        after("two lengths", post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab")),
        after("another version", format!("GET /x HTTP/1.9\r\nHost: {HOST}\r\n\r\n").into_bytes()),
        after("a preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        Case::refuse_after("behind a HEAD: a bare LF", head, &[read("HEAD", "/x", "")]),
        Case::refuse_after("behind a body: garbage", body, &[posted("ab")]),
        Case::refuse_after("behind chunks: another last chunk", chunks, &[posted("ab")]),
    ]
}
