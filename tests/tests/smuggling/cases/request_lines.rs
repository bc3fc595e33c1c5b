//! The first line: its three parts, and what stands between them.

use super::refused;
use crate::case::{Case, HOST, get, got};

pub fn cases() -> Vec<Case> {
    [white_space(), methods(), versions(), before_the_line()].concat()
}

/// A request with this first line, its end included.
fn line(line: &[u8]) -> Vec<u8> {
    [line, format!("Host: {HOST}\r\n\r\n").as_bytes()].concat()
}

fn white_space() -> Vec<Case> {
    let lines: [(&str, &[u8]); 15] = [
        ("ends in a bare LF", b"GET /x HTTP/1.1\n"),
        ("ends in a bare CR", b"GET /x HTTP/1.1\r"),
        ("ends in two CRs", b"GET /x HTTP/1.1\r\r\n"),
        ("ends in LF CR", b"GET /x HTTP/1.1\n\r"),
        ("two spaces after the method", b"GET  /x HTTP/1.1\r\n"),
        ("two spaces before the version", b"GET /x  HTTP/1.1\r\n"),
        ("a tab after the method", b"GET\t/x HTTP/1.1\r\n"),
        ("a tab before the version", b"GET /x\tHTTP/1.1\r\n"),
        ("a vertical tab after the method", b"GET\x0b/x HTTP/1.1\r\n"),
        ("a form feed before the version", b"GET /x\x0cHTTP/1.1\r\n"),
        ("a CR after the method", b"GET\r/x HTTP/1.1\r\n"),
        ("a space in front", b" GET /x HTTP/1.1\r\n"),
        ("a space behind", b"GET /x HTTP/1.1 \r\n"),
        ("a tab behind", b"GET /x HTTP/1.1\t\r\n"),
        ("a NUL behind", b"GET /x HTTP/1.1\0\r\n"),
    ];
    refused("request line", lines.map(|(name, bytes)| (name, line(bytes))))
}

fn methods() -> Vec<Case> {
    let lines: [(&str, &[u8]); 9] = [
        ("an at sign", b"G@T /x HTTP/1.1\r\n"),
        ("a parenthesis", b"GE(T /x HTTP/1.1\r\n"),
        ("a colon", b"GET: /x HTTP/1.1\r\n"),
        ("quotes", b"\"GET\" /x HTTP/1.1\r\n"),
        ("a comma", b"GET,POST /x HTTP/1.1\r\n"),
        ("a NUL", b"G\0T /x HTTP/1.1\r\n"),
        ("a high byte", b"G\xc4T /x HTTP/1.1\r\n"),
        ("DEL", b"GET\x7f /x HTTP/1.1\r\n"),
        ("a slash", b"GE/T /x HTTP/1.1\r\n"),
    ];
    refused("method", lines.map(|(name, bytes)| (name, line(bytes))))
}

fn versions() -> Vec<Case> {
    let versions: [&[u8]; 18] = [
        b"HTTP/0.9",
        b"HTTP/1.2",
        b"HTTP/1.9",
        b"HTTP/2.0",
        b"HTTP/2",
        b"HTTP/3.0",
        b"HTTP/9.9",
        b"HTTP/1.10",
        b"HTTP/01.1",
        b"HTTP/1",
        b"HTTP/1.",
        b"HTTP/.1",
        b"HTTP/1,1",
        b"HTTP/1.1x",
        b"http/1.1",
        b"Http/1.1",
        b"HTTPS/1.1",
        b"HTTP/ 1.1",
    ];
    let mut cases: Vec<Case> = versions
        .iter()
        .map(|version| {
            Case::refuse(&format!("version: {}", version.escape_ascii()), line(&[b"GET /x ", *version, b"\r\n"].concat()))
        })
        .collect();
    cases.extend(refused(
        "version",
        [
            ("none, as in HTTP/0.9", b"GET /x\r\n".to_vec()),
            ("none, but fields", line(b"GET /x\r\n")),
            ("none, but a space", line(b"GET /x \r\n")),
            ("a preface of HTTP/2 that goes on otherwise", b"PRI * HTTP/2.0\r\n\r\nMS\r\n\r\n".to_vec()),
            ("PRI in HTTP/1.1's own line, with the rest of the preface", b"PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n".to_vec()),
        ],
    ));
    cases
}

fn before_the_line() -> Vec<Case> {
    let before = |bytes: &[u8]| [bytes, &get("")].concat();
    let mut cases = refused(
        "before the request line",
        [
            ("a bare LF", before(b"\n")),
            ("a bare CR", before(b"\r")),
            ("a line of a space", before(b" \r\n")),
            ("a NUL", before(b"\0")),
            ("a byte order mark", before(b"\xef\xbb\xbf")),
            ("a line of something else", before(b"hello\r\n")),
        ],
    );
    cases.push(Case::pass_or_refuse("three empty lines in front", before(b"\r\n\r\n\r\n"), &[got()]));
    cases.push(Case::refuse_after("a bare LF between two requests", [get(""), before(b"\n")].concat(), &[got()]));
    cases.push(Case::refuse_after("a space between two requests", [get(""), before(b" ")].concat(), &[got()]));
    cases
}
