//! Content-Length, when it is not one plain number.

use super::refused;
use crate::case::{Case, get, got, post, posted, read, request};

pub fn cases() -> Vec<Case> {
    [numbers(), several(), whose_bytes()].concat()
}

fn numbers() -> Vec<Case> {
    let values: [&[u8]; 22] = [
        b"5, 5",
        b"5,5",
        b"5, 6",
        b"5,",
        b",5",
        b"5 5",
        b"+5",
        b"-5",
        b"-0",
        b"0x5",
        b"5x",
        b"5.0",
        b"5e0",
        b"five",
        b"\"5\"",
        b"5;5",
        b"5\x0b",
        b"\x0b5",
        b"\xd9\xa5",
        b"18446744073709551616",
        b"18446744073709551621",
        b"99999999999999999999999999",
    ];
    let mut cases: Vec<Case> = values
        .iter()
        .map(|value| {
            let field = [b"Content-Length: ", *value, b"\r\n"].concat();
            Case::refuse(&format!("length: {}", value.escape_ascii()), post(field, "hello"))
        })
        .collect();
    cases.push(Case::refuse("length: empty", post("Content-Length:\r\n", "hello")));
    cases.push(Case::refuse("length: negative, of GET", get("Content-Length: -44\r\n")));
    cases.push(Case::pass("white space around a length", post("Content-Length: \t5 \t\r\n", "hello"), &[posted("hello")]));
    cases
}

fn several() -> Vec<Case> {
    let mut cases = refused(
        "lengths",
        [
            ("two that differ", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!")),
            ("two that differ, of GET", get("Content-Length: 0\r\nContent-Length: 44\r\n")),
            ("two that differ in case, too", post("Content-Length: 5\r\ncontent-length: 0\r\n", "hello")),
            ("two, one empty", post("Content-Length: 5\r\nContent-Length:\r\n", "hello")),
            ("three", post("Content-Length: 5\r\nContent-Length: 5\r\nContent-Length: 6\r\n", "hello")),
            ("apart", post("Content-Length: 5\r\nX-Between: 1\r\nContent-Length: 0\r\n", "hello")),
        ],
    );
    let twice = post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello");
    cases.push(Case::pass_or_refuse("lengths: twice the same", twice, &[posted("hello")]));
    cases
}

/// Where a body ends and the next request begins.
fn whose_bytes() -> Vec<Case> {
    let inner = get("");
    let wrapped = post(format!("Content-Length: {}\r\n", inner.len()), &inner);
    vec![
        Case::pass("a request inside a body", wrapped, &[posted(&String::from_utf8(get("")).expect("ASCII"))]),
        Case::pass("a request behind an empty body", [post("Content-Length: 0\r\n", ""), get("")].concat(), &[posted(""), got()]),
        Case::pass("a request behind a POST without a length", [post("", ""), get("")].concat(), &[posted(""), got()]),
        Case::pass("an underscore is no hyphen", get("Content_Length: 44\r\n"), &[got()]),
        Case::pass("a HEAD with a body", request("HEAD", "Content-Length: 3\r\n", "abc"), &[read("HEAD", "/x", "abc")]),
        Case::pass("a DELETE with an empty body", request("DELETE", "Content-Length: 0\r\n", ""), &[read("DELETE", "/x", "")]),
        Case::wait("a body that is not whole", post("Content-Length: 1000\r\n", "hello")),
        Case::wait("a body of four gibibytes and a little", post("Content-Length: 4294967301\r\n", "hello")),
    ]
}
