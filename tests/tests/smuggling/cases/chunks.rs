//! The framing of chunks, and what follows the last of them.

use crate::case::{Case, post, posted};

pub fn cases() -> Vec<Case> {
    [sizes(), ends(), extensions(), trailers(), tolerable()].concat()
}

fn chunked(body: impl AsRef<[u8]>) -> Vec<u8> {
    post("Transfer-Encoding: chunked\r\n", body)
}

fn broken<'a>(about: &str, all: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<Case> {
    all.into_iter().map(|(name, body)| Case::break_off(&format!("{about}: {name}"), chunked(body))).collect()
}

fn sizes() -> Vec<Case> {
    let sizes: [&[u8]; 20] = [
        b"",
        b"0x5",
        b"0X5",
        b"+5",
        b"-5",
        b"-0",
        b" 5",
        b"5 ",
        b"\t5",
        b"5\t",
        b"5_0",
        b"g",
        b"5g",
        b"5 5",
        b"5,5",
        b"5.",
        b"\x0b5",
        b"5\0",
        b"10000000000000005",
        b"fffffffffffffffff",
    ];
    let mut cases: Vec<Case> = sizes
        .iter()
        .map(|size| {
            let body = [*size, b"\r\nhello\r\n0\r\n\r\n"].concat();
            Case::break_off(&format!("chunk size: {}", size.escape_ascii()), chunked(body))
        })
        .collect();
    cases.extend(broken(
        "last chunk size",
        [
            ("0x", &b"5\r\nhello\r\n0x\r\n\r\n"[..]),
            ("a space", b"5\r\nhello\r\n0 \r\n\r\n"),
            ("a minus", b"5\r\nhello\r\n-0\r\n\r\n"),
        ],
    ));
    cases
}

fn ends() -> Vec<Case> {
    broken(
        "chunk",
        [
            ("its size ends in a bare LF", &b"5\nhello\r\n0\r\n\r\n"[..]),
            ("its size ends in a bare CR", b"5\rhello\r\n0\r\n\r\n"),
            ("its size ends in two CRs", b"5\r\r\nhello\r\n0\r\n\r\n"),
            ("its data ends in a bare LF", b"5\r\nhello\n0\r\n\r\n"),
            ("its data ends in a bare CR", b"5\r\nhello\r0\r\n\r\n"),
            ("its data ends in LF CR", b"5\r\nhello\n\r0\r\n\r\n"),
            ("nothing ends its data", b"5\r\nhello0\r\n\r\n"),
            ("other bytes end its data", b"5\r\nhelloXX0\r\n\r\n"),
            ("its data is too long", b"5\r\nhello!\r\n0\r\n\r\n"),
            ("its data is too short", b"5\r\nhell\r\n0\r\n\r\n"),
            ("the last one's size ends in a bare LF", b"5\r\nhello\r\n0\n\r\n"),
            ("the body ends in a bare LF", b"5\r\nhello\r\n0\r\n\n"),
            ("the body ends in a bare CR", b"5\r\nhello\r\n0\r\n\rX"),
            ("the body ends in LF LF", b"5\r\nhello\r\n0\n\n"),
            ("nothing ends the body", b"5\r\nhello\r\n0\r\n"),
            ("an empty line between two", b"5\r\nhello\r\n\r\n0\r\n\r\n"),
        ],
    )
}

fn extensions() -> Vec<Case> {
    broken(
        "chunk extension",
        [
            ("a bare LF", &b"5;a\nb\r\nhello\r\n0\r\n\r\n"[..]),
            ("a bare LF at its end", b"5;a\nhello\r\n0\r\n\r\n"),
            ("a bare CR", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
            ("a NUL", b"5;a\0\r\nhello\r\n0\r\n\r\n"),
            ("a control byte", b"5;a\x01b\r\nhello\r\n0\r\n\r\n"),
            ("DEL", b"5;a\x7f\r\nhello\r\n0\r\n\r\n"),
            ("a vertical tab", b"5\x0b;a\r\nhello\r\n0\r\n\r\n"),
            ("no semicolon", b"5 a=b\r\nhello\r\n0\r\n\r\n"),
            ("a bare LF behind the last", b"5\r\nhello\r\n0;a\n\r\n"),
        ],
    )
}

fn trailers() -> Vec<Case> {
    let lines: [(&str, &[u8]); 9] = [
        ("a bare LF", b"X-Trailer: 1\n"),
        ("a bare CR", b"X-Trailer: 1\rX-Next: 2\r\n"),
        ("a fold", b"X-Trailer: 1\r\n 2\r\n"),
        ("a space before the colon", b"X-Trailer : 1\r\n"),
        ("no colon", b"X-Trailer\r\n"),
        ("an empty name", b": 1\r\n"),
        ("a NUL", b"X-Trailer: \0\r\n"),
        ("a control byte in its name", b"X-\x01: 1\r\n"),
        ("a request line", b"GET /y HTTP/1.1\r\nHost: shop.test\r\n"),
    ];
    let body = |line: &[u8]| [b"5\r\nhello\r\n0\r\n", line, b"\r\n"].concat();
    let mut cases: Vec<Case> =
        lines.iter().map(|(name, line)| Case::break_off(&format!("trailer: {name}"), chunked(body(line)))).collect();
    // They must not take effect, and must not be passed on: how the recorder reads the request tells both.
    cases.extend(
        [
            "Content-Length: 44",
            "Transfer-Encoding: chunked",
            "Host: other.test",
            "Authorization: Basic eDp5",
            "Connection: close",
            "TE: trailers",
        ]
        .map(|line| {
            let bytes = chunked(body(format!("{line}\r\n").as_bytes()));
            Case::pass_or_refuse(&format!("trailer: {line}"), bytes, &[posted("hello")])
        }),
    );
    cases
}

fn tolerable() -> Vec<Case> {
    let either = |name: &str, body: &str| Case::pass_or_refuse(&format!("chunk: {name}"), chunked(body), &[posted("hello")]);
    vec![
        either("white space before an extension", "5 ;a\r\nhello\r\n0\r\n\r\n"),
        either("white space inside an extension", "5; a = b\r\nhello\r\n0\r\n\r\n"),
        either("an empty extension", "5;\r\nhello\r\n0\r\n\r\n"),
        either("thirty zeros before its size", "0000000000000000000000000000005\r\nhello\r\n0\r\n\r\n"),
        either("forty trailers", &format!("5\r\nhello\r\n0\r\n{}\r\n", "X-Trailer: 1\r\n".repeat(40))),
    ]
}
