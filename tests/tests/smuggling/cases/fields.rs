//! Field lines: their ends, their names, their values.

use super::refused;
use crate::case::{Case, HOST, get, post};

pub fn cases() -> Vec<Case> {
    [ends_of_lines(), folds(), names(), values()].concat()
}

fn ends_of_lines() -> Vec<Case> {
    let host = |rest: &str| format!("GET /x HTTP/1.1\r\nHost: {HOST}{rest}").into_bytes();
    refused(
        "line",
        [
            ("ends in a bare LF", get("X-Bare: 1\n")),
            ("Host ends in a bare LF", host("\n\r\n")),
            ("the head ends in a bare LF", host("\r\n\n")),
            ("the head ends in LF LF", host("\n\n")),
            ("the whole head has bare LFs", format!("GET /x HTTP/1.1\nHost: {HOST}\n\n").into_bytes()),
            ("a bare LF hides a field", get("X-Bare: 1\nContent-Length: 44\r\n")),
            ("a bare LF hides a coding", post("X-Bare: 1\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
            ("ends in a bare CR", get("X-Bare: 1\rX-Next: 2\r\n")),
            ("a bare CR hides a field", get("X-Bare: 1\rContent-Length: 44\r\n")),
            ("ends in two CRs", get("X-Bare: 1\r\r\n")),
            ("the head ends in a bare CR", host("\r\n\r\r\n")),
            ("ends in LF CR", get("X-Bare: 1\n\rX-Next: 2\r\n")),
            ("a CR before the name", get("\rX-Bare: 1\r\n")),
        ],
    )
}

fn folds() -> Vec<Case> {
    refused(
        "fold",
        [
            ("a value", get("X-Fold: 1\r\n 2\r\n")),
            ("by a tab", get("X-Fold: 1\r\n\t2\r\n")),
            ("an empty one", get("X-Fold: 1\r\n \r\n")),
            ("of a coding", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")),
            ("that hides a coding", post("X-Fold: 1\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n")),
            ("that hides a length", get("X-Fold: 1\r\n\tContent-Length: 44\r\n")),
            ("of a length", post("Content-Length: 1\r\n 0\r\n", "0123456789")),
            ("of the first line", format!("GET /x HTTP/1.1\r\n X-Fold: 1\r\nHost: {HOST}\r\n\r\n").into_bytes()),
            ("of Host", format!("GET /x HTTP/1.1\r\nHost: {HOST}\r\n .other\r\n\r\n").into_bytes()),
        ],
    )
}

fn names() -> Vec<Case> {
    refused(
        "name",
        [
            ("a space before the colon", get("X-Space : 1\r\n")),
            ("a tab before the colon", get("X-Tab\t: 1\r\n")),
            ("a space before the colon of a length", post("Content-Length : 5\r\n", "hello")),
            ("a space before the colon of a coding", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")),
            ("a space before the colon of Host", b"GET /x HTTP/1.1\r\nHost : shop.test\r\n\r\n".to_vec()),
            ("a space inside", get("X Space: 1\r\n")),
            ("empty", get(": 1\r\n")),
            ("empty, of the first field", format!("GET /x HTTP/1.1\r\n:\r\nHost: {HOST}\r\n\r\n").into_bytes()),
            ("no colon", get("X-Nothing\r\n")),
            ("a NUL", get("X-\0: 1\r\n")),
            ("a control byte", get("X-\x01: 1\r\n")),
            ("a vertical tab", get("X-\x0b: 1\r\n")),
            ("a vertical tab behind a coding", post("Transfer-Encoding\x0b: chunked\r\n", "0\r\n\r\n")),
            ("a NUL inside a coding", post("Transfer-\0Encoding: chunked\r\n", "0\r\n\r\n")),
            ("DEL", get("X-\x7f: 1\r\n")),
            ("a high byte", get(b"X-\xe9: 1\r\n")),
            ("a parenthesis", get("X-(y): 1\r\n")),
            ("a slash", get("X/Y: 1\r\n")),
            ("quotes", get("\"X\": 1\r\n")),
            ("brackets", get("X[0]: 1\r\n")),
            ("an equals sign", get("X=Y: 1\r\n")),
        ],
    )
}

fn values() -> Vec<Case> {
    let control = |byte: u8| [b"X-Control: a", &[byte][..], b"b\r\n"].concat();
    let mut cases: Vec<Case> = [0x00, 0x01, 0x07, 0x08, 0x0b, 0x0c, 0x1b, 0x1f, 0x7f]
        .into_iter()
        .map(|byte| Case::refuse(&format!("value: byte {byte:#04x}"), get(control(byte))))
        .collect();
    cases.extend(refused(
        "value",
        [
            ("a NUL at the end", get("X-Control: a\0\r\n")),
            ("a NUL behind a length", post("Content-Length: 5\0\r\n", "hello")),
            ("a NUL and nothing else", get("X-Control:\0\r\n")),
        ],
    ));
    cases
}
