//! Transfer-Encoding, when it is not plainly `chunked`.

use super::refused;
use crate::case::{Case, HOST, get, got, post, posted, read, request};

const BODY: &str = "5\r\nhello\r\n0\r\n\r\n";

pub fn cases() -> Vec<Case> {
    [values(), several(), good()].concat()
}

fn values() -> Vec<Case> {
    let values: [&[u8]; 30] = [
        b"chunked, chunked",
        b"xchunked",
        b"chunkedx",
        b"chunke",
        b"identity",
        b"chunked, identity",
        b"identity, chunked",
        b"gzip",
        b"gzip, chunked",
        b"chunked, gzip",
        b"\"chunked\"",
        b"'chunked'",
        b"chunked;q=1",
        b"chunked; a",
        b"chunked,",
        b",chunked",
        b"chunked ,",
        b", ,chunked",
        b"",
        b"\x0bchunked",
        b"chunked\x0b",
        b"\x0cchunked",
        b"chunked\0",
        b"chunked\x1f",
        b"chun ked",
        b"chunked chunked",
        b"chunked\xa0",
        b"\xef\xbb\xbfchunked",
        b"chunked:chunked",
        b"trailers",
    ];
    values
        .iter()
        .map(|value| {
            let field = [b"Transfer-Encoding: ", *value, b"\r\n"].concat();
            Case::refuse(&format!("coding: {}", value.escape_ascii()), post(field, BODY))
        })
        .collect()
}

fn several() -> Vec<Case> {
    let chunked = |more: &str| post(format!("Transfer-Encoding: chunked\r\n{more}"), BODY);
    let old =
        |more: &str| format!("POST /x HTTP/1.0\r\nHost: {HOST}\r\n{more}Transfer-Encoding: chunked\r\n\r\n{BODY}").into_bytes();
    refused(
        "codings",
        [
            ("and a length behind", chunked("Content-Length: 5\r\n")),
            ("and a length in front", post("Content-Length: 15\r\nTransfer-Encoding: chunked\r\n", BODY)),
            ("and a length of nothing", chunked("Content-Length: 0\r\n")),
            ("and a length that is none", chunked("Content-Length: x\r\n")),
            ("and an empty length", chunked("Content-Length:\r\n")),
            ("identity and a length", post("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "hello")),
            ("an unknown one and a length", post("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", "hello")),
            ("an empty one and a length", post("Transfer-Encoding:\r\nContent-Length: 5\r\n", "hello")),
            ("chunked twice", chunked("Transfer-Encoding: chunked\r\n")),
            ("chunked and identity", chunked("Transfer-Encoding: identity\r\n")),
            ("identity and chunked", post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", BODY)),
            ("gzip and chunked", post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", BODY)),
            ("chunked and an empty one", chunked("Transfer-Encoding:\r\n")),
            ("in HTTP/1.0", old("")),
            ("in HTTP/1.0, kept alive", old("Connection: keep-alive\r\n")),
            ("in HTTP/1.0, with a length", old("Content-Length: 15\r\n")),
            ("and a length, of GET", request("GET", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", BODY)),
        ],
    )
}

fn good() -> Vec<Case> {
    let either = |value: &str| {
        let bytes = post(format!("Transfer-Encoding: {value}\r\n"), BODY);
        Case::pass_or_refuse(&format!("perhaps coding: {}", value.escape_debug()), bytes, &[posted("hello")])
    };
    vec![
        either("Chunked"),
        either("CHUNKED"),
        either("chunked "),
        either("chunked\t"),
        either("\tchunked"),
        Case::pass("a coding's name in any case", post("tRaNsFeR-eNcOdInG: chunked\r\n", BODY), &[posted("hello")]),
        Case::pass("chunks of a GET", request("GET", "Transfer-Encoding: chunked\r\n", BODY), &[read("GET", "/x", "hello")]),
        Case::pass("chunks of a PUT", request("PUT", "Transfer-Encoding: chunked\r\n", BODY), &[read("PUT", "/x", "hello")]),
        Case::pass("an underscore is no hyphen of a coding", get("Transfer_Encoding: chunked\r\n"), &[got()]),
    ]
}
