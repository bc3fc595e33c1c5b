//! Answers that are as they should be, odd as some look, and what may follow them on the connection to the app.

use super::{Asked, Lie, chunked, hello, ok};

/// An answer that somebody else would love to get.
const EVIL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

pub fn lies() -> Vec<Lie> {
    [plain(), without_bodies(), interim(), followed(), to_odd_requests()].concat()
}

fn plain() -> Vec<Lie> {
    let large = "0123456789".repeat(10_000);
    let statuses = [201, 299, 301, 404, 418, 500, 503, 599].map(|status| {
        let bytes = format!("HTTP/1.1 {status} Any\r\nContent-Length: 5\r\n\r\nhello");
        Lie::pass(&format!("status {status}"), bytes, status, "hello")
    });
    let mut lies = vec![
        Lie::pass("a length", hello(""), 200, "hello"),
        Lie::pass("a length of nothing", ok("Content-Length: 0\r\n"), 200, ""),
        Lie::pass(
            "a large body",
            [ok(format!("Content-Length: {}\r\n", large.len())).as_slice(), large.as_bytes()].concat(),
            200,
            &large,
        ),
        Lie::pass("chunks", chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), 200, "hello world"),
        Lie::pass("no chunk but the last", chunked("0\r\n\r\n"), 200, ""),
        Lie::pass(
            "chunks with extensions and trailers",
            chunked("5;a=\"b\"\r\nhello\r\n0;c\r\nX-Trailer: 1\r\n\r\n"),
            200,
            "hello",
        ),
        Lie::pass("chunks in pieces", chunked("5\r\nhe"), 200, "hello").then("llo\r").then("\n0\r\n\r").then("\n"),
        Lie::pass("the end of the connection", [ok("").as_slice(), b"hello"].concat(), 200, "hello").and_close(),
        Lie::pass("the end of the connection, nothing before it", ok(""), 200, "").and_close(),
        Lie::pass(
            "the end of the connection, announced",
            [ok("Connection: close\r\n").as_slice(), b"hello"].concat(),
            200,
            "hello",
        )
        .and_close(),
        Lie::pass("HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhello", 200, "hello").and_close(),
        Lie::pass("HTTP/1.0 with a length", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello").and_close(),
        Lie::pass("a length and the end", hello("Connection: close\r\n"), 200, "hello").and_close(),
        Lie::pass("no reason phrase", "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", 200, "hello"),
        Lie::pass("a reason of high bytes", b"HTTP/1.1 200 \xc3\xa9\xff\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"),
        Lie::pass("values of high bytes", hello(b"X-High: \xe9\xff\r\n"), 200, "hello"),
        Lie::pass("a value of white space", hello("X-Space: \t \r\n"), 200, "hello"),
        Lie::pass("several cookies", hello("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"), 200, "hello"),
    ];
    lies.extend(statuses);
    lies
}

/// RFC 9112, section 6.3: these have no body, whatever their fields say.
fn without_bodies() -> Vec<Lie> {
    let head = |name: &str, bytes: Vec<u8>| Lie::pass(name, bytes, 200, "").to(Asked::Head);
    vec![
        Lie::pass("204", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        Lie::pass("304", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", 304, ""),
        Lie::pass("304 with the length of what it stands for", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, ""),
        head("HEAD with a length", ok("Content-Length: 5\r\n")),
        head("HEAD with chunks announced", ok("Transfer-Encoding: chunked\r\n")),
        head("HEAD with nothing announced", ok("")),
    ]
}

fn interim() -> Vec<Lie> {
    let after = |name: &str, interim: &str| Lie::pass(name, [interim.as_bytes(), &hello("")].concat(), 200, "hello");
    vec![
        after("100 before it", "HTTP/1.1 100 Continue\r\n\r\n"),
        after("103 before it", "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"),
        after("three 102 before it", &"HTTP/1.1 102 Processing\r\n\r\n".repeat(3)),
        after("an interim answer nobody knows", "HTTP/1.1 199 Any\r\n\r\n"),
        Lie::pass("103 long before it", "HTTP/1.1 103 Early Hints\r\n\r\n", 200, "hello").then(hello("")),
        Lie::pass(
            "103 before the answer to HEAD",
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            200,
            "",
        )
        .to(Asked::Head),
    ]
}

/// What an app sends without having been asked belongs to nobody: least of all to who asks next.
fn followed() -> Vec<Lie> {
    let both = |bytes: Vec<u8>| [bytes.as_slice(), EVIL.as_bytes()].concat();
    let bare = |status: &str| format!("HTTP/1.1 {status}\r\n\r\n").into_bytes();
    vec![
        Lie::pass("another answer behind it", both(hello("")), 200, "hello"),
        Lie::pass("another answer a little later", hello(""), 200, "hello").then(EVIL),
        Lie::pass("garbage behind it", [hello("").as_slice(), b"garbage"].concat(), 200, "hello"),
        Lie::pass("an empty line behind it", [hello("").as_slice(), b"\r\n"].concat(), 200, "hello"),
        Lie::pass("another answer behind chunks", both(chunked("5\r\nhello\r\n0\r\n\r\n")), 200, "hello"),
        Lie::pass("another answer behind chunks, a little later", chunked("5\r\nhello\r\n0\r\n\r\n"), 200, "hello").then(EVIL),
        Lie::pass("another answer behind nothing", both(ok("Content-Length: 0\r\n")), 200, ""),
        Lie::pass("another answer behind 204", both(bare("204 No Content")), 204, ""),
        Lie::pass("another answer behind 304", both(bare("304 Not Modified")), 304, ""),
        Lie::pass("a body behind HEAD", hello(""), 200, "").to(Asked::Head),
        Lie::pass("chunks behind HEAD", chunked("5\r\nhello\r\n0\r\n\r\n"), 200, "").to(Asked::Head),
        Lie::pass("an answer as the body behind HEAD", both(ok(format!("Content-Length: {}\r\n", EVIL.len()))), 200, "")
            .to(Asked::Head),
        Lie::pass(
            "an answer as the body behind 304",
            both(format!("HTTP/1.1 304 Not Modified\r\nContent-Length: {}\r\n\r\n", EVIL.len()).into_bytes()),
            304,
            "",
        ),
        Lie::pass("an interim answer behind it", [hello("").as_slice(), b"HTTP/1.1 100 Continue\r\n\r\n"].concat(), 200, "hello"),
        Lie::pass_or_refuse("204 with a length and a body", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", 204, ""),
        Lie::pass_or_refuse(
            "204 with an answer in chunks",
            both(b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec()),
            204,
            "",
        ),
        Lie::pass_or_refuse(
            "304 with chunks",
            both(b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec()),
            304,
            "",
        ),
    ]
}

/// An old client is told nothing it does not know; who has not finished asking is not heard again.
fn to_odd_requests() -> Vec<Lie> {
    let old =
        |name: &str, bytes: Vec<u8>| Lie::pass_and_close(&format!("to HTTP/1.0: {name}"), bytes, 200, "hello").to(Asked::Old);
    let early =
        |name: &str, bytes: Vec<u8>| Lie::pass_and_close(&format!("early: {name}"), bytes, 200, "hello").to(Asked::Unfinished);
    vec![
        old("a length", hello("")),
        old("chunks", chunked("5\r\nhello\r\n0\r\n\r\n")),
        old("chunks and a trailer", chunked("5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n")),
        old("the end of the connection", [ok("").as_slice(), b"hello"].concat()).and_close(),
        old("103 before it", [b"HTTP/1.1 103 Early Hints\r\n\r\n".as_slice(), &hello("")].concat()),
        early("a length", hello("")),
        early("chunks", chunked("5\r\nhello\r\n0\r\n\r\n")),
        early("another answer behind it", [hello("").as_slice(), EVIL.as_bytes()].concat()),
    ]
}
