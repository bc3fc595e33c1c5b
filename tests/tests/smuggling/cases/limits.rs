//! More than anybody needs. Everything here fits into sockets' buffers, so that whoever refuses it can do so at once.

use super::refused;
use crate::case::{Case, HOST, get, post};

const LARGE: usize = 160 * 1024;

pub fn cases() -> Vec<Case> {
    let letters = "a".repeat(LARGE);
    let fields: String = (0..6000).map(|number| format!("X-{number}: {number}\r\n")).collect();
    let large_fields: String = (0..40).map(|number| format!("X-{number}: {}\r\n", &letters[..4096])).collect();
    let body = "5\r\nhello\r\n";
    let broken = |name: &str, end: String| Case::break_off(name, post("Transfer-Encoding: chunked\r\n", format!("{body}{end}")));
    let mut cases = refused(
        "too much",
        [
            ("a target", format!("GET /{letters} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").into_bytes()),
            ("a query", format!("GET /?{letters} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").into_bytes()),
            ("a method", format!("{letters} / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").into_bytes()),
            ("a line that never ends", letters.clone().into_bytes()),
            ("a value", get(format!("X-Large: {letters}\r\n"))),
            ("a name", get(format!("{letters}: 1\r\n"))),
            ("a name that never ends", get(&letters)),
            ("a Host", format!("GET /x HTTP/1.1\r\nHost: {letters}\r\n\r\n").into_bytes()),
            ("fields", get(fields.as_str())),
            ("bytes of fields", get(large_fields)),
            ("a length of many digits", post(format!("Content-Length: {}5\r\n", "0".repeat(LARGE)), "hello")),
        ],
    );
    cases.extend([
        broken("too much: a chunk extension", format!("1;{letters}\r\nx\r\n0\r\n\r\n")),
        broken("too much: zeros of a chunk size", format!("{}1\r\nx\r\n0\r\n\r\n", "0".repeat(LARGE))),
        broken("too much: a trailer", format!("0\r\nX-Large: {letters}\r\n\r\n")),
        broken("too much: trailers", format!("0\r\n{fields}\r\n")),
    ]);
    cases
}
