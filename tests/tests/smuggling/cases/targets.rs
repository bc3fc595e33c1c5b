//! The request's target in its four forms.

use super::refused;
use crate::case::{Case, HOST, read, read_at};

pub fn cases() -> Vec<Case> {
    [letters(), forms(), absolute(), tolerable()].concat()
}

fn at(host: &str, method: &str, target: impl AsRef<[u8]>) -> Vec<u8> {
    let host = format!(" HTTP/1.1\r\nHost: {host}\r\n\r\n");
    [method.as_bytes(), b" ", target.as_ref(), host.as_bytes()].concat()
}

fn get(target: impl AsRef<[u8]>) -> Vec<u8> {
    at(HOST, "GET", target)
}

fn letters() -> Vec<Case> {
    refused(
        "target",
        [
            ("a fragment", get("/x#y")),
            ("a fragment after a query", get("/x?y#z")),
            ("a space", get("/x y")),
            ("a space that begins another version", get("/x HTTP/1.1 y")),
            ("a NUL", get("/x\0y")),
            ("a control byte", get("/x\x01y")),
            ("an escape", get("/x\x1by")),
            ("DEL", get("/x\x7fy")),
            ("a tab", get("/x\ty")),
            ("a CR", get("/x\ry")),
            ("a LF", get("/x\ny")),
            ("UTF-8", get("/x\u{e9}")),
            ("a high byte", get(b"/x\xff")),
            ("a high byte in the query", get(b"/x?y=\xe9")),
        ],
    )
}

fn forms() -> Vec<Case> {
    refused(
        "target",
        [
            ("no slash", get("x")),
            ("a query alone", get("?x")),
            ("a file", get("x/y.html")),
            ("the asterisk for GET", get("*")),
            ("two asterisks", at(HOST, "OPTIONS", "**")),
            ("an asterisk and a path", at(HOST, "OPTIONS", "*/x")),
            ("the authority form for GET", get("shop.test:80")),
            ("the authority form for OPTIONS", at(HOST, "OPTIONS", "shop.test:80")),
            ("CONNECT without a port", at(HOST, "CONNECT", "shop.test")),
            ("CONNECT to a path", at(HOST, "CONNECT", "/x")),
            ("CONNECT to an URI", at(HOST, "CONNECT", "http://shop.test/x")),
        ],
    )
}

fn absolute() -> Vec<Case> {
    let mut cases = refused(
        "absolute target",
        [
            ("no host", get("http:///x")),
            ("one slash", get("http:/x")),
            ("no slash", get("http:x")),
            ("user information", get("http://me@shop.test/x")),
            ("a password", get("http://me:secret@shop.test/x")),
            ("a port that is too large", get("http://shop.test:65536/x")),
            ("a port of letters", get("http://shop.test:http/x")),
            ("an address that does not end", get("http://[::1/x")),
            ("an address without brackets", get("http://::1/x")),
            ("a fragment", get("http://shop.test/x#y")),
            ("a backslash for a slash", get("http:\\\\shop.test/x")),
            ("a space in the host", get("http://shop test/x")),
            ("a high byte in the host", get(b"http://sh\xf6p.test/x")),
            ("a Host that is malformed", at("sh/op", "GET", "http://shop.test/x")),
            ("no Host", b"GET http://shop.test/x HTTP/1.1\r\n\r\n".to_vec()),
        ],
    );
    // Then the target wins (RFC 9112, section 3.2.2), or nobody does.
    let other = |target: &str, host: &str, rest: &str| {
        Case::pass_or_refuse(&format!("another host than in Host: {target}"), get(target), &[read_at(host, "GET", rest, "")])
    };
    cases.extend([
        other("http://other.test/y", "other.test", "/y"),
        other("http://other.test:81/y?z", "other.test:81", "/y?z"),
        other("http://other.test", "other.test", "/"),
        other("http://other.test?y", "other.test", "/?y"),
        Case::pass(
            "an absolute target with an address",
            at("10.0.0.1:81", "GET", "http://10.0.0.1:81/y"),
            &[read_at("10.0.0.1:81", "GET", "/y", "")],
        ),
        // HAProxy takes no empty path before a query.
        Case::pass("an absolute target with a query alone", get("http://shop.test?y"), &[read("GET", "/?y", "")])
            .except(&["haproxy"]),
        other("http://10.0.0.1:81/y", "10.0.0.1:81", "/y"),
        other("http://[fd00::1]:81/y", "[fd00::1]:81", "/y"),
        Case::pass_and_close(
            "an absolute target in HTTP/1.0, without Host",
            "GET http://other.test/y HTTP/1.0\r\n\r\n",
            &[read_at("other.test", "GET", "/y", "")],
        ),
    ]);
    cases
}

/// What some clients send and most servers take, though the grammar says otherwise, or says little.
fn tolerable() -> Vec<Case> {
    let either =
        |name: &str, target: &str| Case::pass_or_refuse(&format!("target: {name}"), get(target), &[read("GET", target, "")]);
    vec![
        either("braces and bars", "/x?q={a}|b"),
        either("brackets", "/x?q[]=1"),
        either("quotes", "/x?q=\"a\""),
        either("a backslash", "/x\\y"),
        either("a caret and a backtick", "/x^y`z"),
        either("angle brackets", "/x?q=<a>"),
        either("a percent sign alone", "/x?q=100%"),
        Case::pass("the asterisk form", at(HOST, "OPTIONS", "*"), &[read("OPTIONS", "*", "")]).except(&["nginx"]),
        // RFC 9112, section 3.2.4: without a path, the last proxy turns it into the asterisk form.
        Case::pass("the absolute form of the asterisk", at(HOST, "OPTIONS", "http://shop.test"), &[read("OPTIONS", "*", "")])
            .except(&["nginx", "hyper"]),
        Case::pass_or_refuse("another scheme", get("https://shop.test/y"), &[read("GET", "/y", "")]),
    ]
}
