//! Heads of answers that are malformed.

use super::{Asked, Lie, hello, ok};

pub fn lies() -> Vec<Lie> {
    [status_lines(), fields(), framing(), interim(), ends()].concat()
}

fn status_lines() -> Vec<Lie> {
    let lines: [&[u8]; 22] = [
        b"HTTP/1.1 OK\r\n",
        b"HTTP/1.1 20 OK\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 000 OK\r\n",
        b"HTTP/1.1 099 OK\r\n",
        b"HTTP/1.1 +20 OK\r\n",
        b"HTTP/1.1 -20 OK\r\n",
        b"HTTP/1.1 2 0 OK\r\n",
        b"HTTP/1.1 20x OK\r\n",
        b"HTTP/1.1  200 OK\r\n",
        b"HTTP/1.1\t200 OK\r\n",
        b" HTTP/1.1 200 OK\r\n",
        b"HTTP/1.2 200 OK\r\n",
        b"HTTP/2.0 200 OK\r\n",
        b"HTTP/0.9 200 OK\r\n",
        b"http/1.1 200 OK\r\n",
        b"ICY 200 OK\r\n",
        b"200 OK\r\n",
        b"HTTP/1.1 200 OK\n",
        b"HTTP/1.1 200 OK\rX: 1\r\n",
        b"HTTP/1.1 200 O\0K\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n",
    ];
    let whole = |line: &[u8]| [line, b"Content-Length: 5\r\n\r\nhello"].concat();
    let mut lies: Vec<Lie> =
        lines.iter().map(|line| Lie::refuse(&format!("status line {}", line.escape_ascii()), whole(line))).collect();
    lies.extend([
        Lie::pass_or_refuse("status line without the last space", whole(b"HTTP/1.1 200\r\n"), 200, "hello"),
        Lie::pass_or_refuse("an empty line before the status line", [b"\r\n".as_slice(), &hello("")].concat(), 200, "hello"),
        Lie::pass_or_refuse("status 600", whole(b"HTTP/1.1 600 OK\r\n"), 600, "hello"),
        Lie::refuse("no status line", "hello, this is HTTP/0.9\r\n\r\n"),
        Lie::refuse("a page and the end", "<html>hello</html>").and_close(),
        Lie::refuse("a greeting of SMTP", "220 mail.test ESMTP\r\n\r\n"),
    ]);
    lies
}

fn fields() -> Vec<Lie> {
    let large = "a".repeat(160 * 1024);
    let many: String = (0..6000).map(|number| format!("X-{number}: {number}\r\n")).collect();
    let refused: [(&str, Vec<u8>); 14] = [
        ("a bare LF", hello("X-Bare: 1\n")),
        ("a bare LF that hides a coding", hello("X-Bare: 1\nTransfer-Encoding: chunked\r\n")),
        ("bare LFs throughout", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello".to_vec()),
        ("a bare LF at the end of the head", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\nhello".to_vec()),
        ("a bare CR", hello("X-Bare: 1\rX-Next: 2\r\n")),
        ("an empty name", hello(": 1\r\n")),
        ("no colon", hello("X-Nothing\r\n")),
        ("a space inside a name", hello("X Space: 1\r\n")),
        ("a NUL in a name", hello("X-\0: 1\r\n")),
        ("a NUL in a value", hello("X-Control: a\0b\r\n")),
        ("a control byte in a value", hello("X-Control: a\x01b\r\n")),
        ("DEL in a value", hello("X-Control: a\x7fb\r\n")),
        ("a value that is too large", hello(format!("X-Large: {large}\r\n"))),
        ("fields that are too many", hello(many)),
    ];
    let mut lies: Vec<Lie> = refused.map(|(name, bytes)| Lie::refuse(&format!("field: {name}"), bytes)).to_vec();
    // RFC 9112, sections 5.1 and 5.2 let a proxy mend these.
    lies.extend([
        Lie::pass_or_refuse("field: a fold", hello("X-Fold: 1\r\n 2\r\n"), 200, "hello"),
        Lie::pass_or_refuse("field: a space before the colon", hello("X-Space : 1\r\n"), 200, "hello"),
        Lie::pass_or_refuse(
            "field: a space before the colon of a length",
            [ok("Content-Length : 5\r\n").as_slice(), b"hello"].concat(),
            200,
            "hello",
        ),
    ]);
    lies
}

fn framing() -> Vec<Lie> {
    let lengths: [&[u8]; 13] = [
        b"+5",
        b"-5",
        b"0x5",
        b"5 5",
        b"5, 6",
        b"5x",
        b"",
        b"five",
        b"5.0",
        b"\x0b5",
        b"18446744073709551616",
        b"18446744073709551621",
        b"5,",
    ];
    let codings: [&[u8]; 10] = [
        b"xchunked",
        b"chunked, chunked",
        b"chunked, identity",
        b"identity, chunked",
        b"chunked, gzip",
        b"chunked;q=1",
        b"\"chunked\"",
        b"\x0bchunked",
        b"chunked\0",
        b"",
    ];
    let with = |field: &str, value: &[u8], body: &str| {
        let bytes = [b"HTTP/1.1 200 OK\r\n", field.as_bytes(), value, b"\r\n\r\n", body.as_bytes()].concat();
        Lie::refuse(&format!("{field}{}", value.escape_ascii()), bytes)
    };
    let two = |name: &str, fields: &str| Lie::refuse(name, [ok(fields).as_slice(), b"5\r\nhello\r\n0\r\n\r\n"].concat());
    let mut lies: Vec<Lie> = lengths.iter().map(|length| with("Content-Length: ", length, "hello")).collect();
    lies.extend(codings.iter().map(|coding| with("Transfer-Encoding: ", coding, "5\r\nhello\r\n0\r\n\r\n")));
    lies.extend([
        two("a coding and a length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        two("a length and a coding", "Content-Length: 15\r\nTransfer-Encoding: chunked\r\n"),
        two("a coding and a length of nothing", "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"),
        two("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        Lie::refuse("two lengths", [ok("Content-Length: 5\r\nContent-Length: 0\r\n").as_slice(), b"hello"].concat()),
        Lie::refuse(
            "three lengths",
            [ok("Content-Length: 5\r\nContent-Length: 5\r\nContent-Length: 6\r\n").as_slice(), b"hello"].concat(),
        ),
        Lie::refuse("chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            .and_close(),
        Lie::pass_or_refuse("twice the same length", hello("Content-Length: 5\r\n"), 200, "hello"),
        Lie::pass_or_refuse(
            "a list of the same length",
            [ok("Content-Length: 5, 5\r\n").as_slice(), b"hello"].concat(),
            200,
            "hello",
        ),
        Lie::refuse("a coding and a length, of HEAD", ok("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")).to(Asked::Head),
    ]);
    lies
}

fn interim() -> Vec<Lie> {
    let flood = "HTTP/1.1 100 Continue\r\n\r\n".repeat(5000);
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n".repeat(2000);
    vec![
        Lie::refuse("a flood of 100", [flood.as_bytes(), &hello("")].concat()),
        Lie::refuse("a flood of 103", [hints.as_bytes(), &hello("")].concat()),
        Lie::refuse("a flood of 100 and the end", flood).and_close(),
        Lie::refuse("a malformed answer behind 100", "HTTP/1.1 100 Continue\r\n\r\nhello\r\n\r\n"),
        Lie::refuse("100 with a bare LF", [b"HTTP/1.1 100 Continue\n\r\n".as_slice(), &hello("")].concat()),
        Lie::refuse(
            "100 with a body",
            [b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello".as_slice(), &hello("")].concat(),
        ),
        Lie::refuse(
            "100 with chunks",
            [b"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".as_slice(), &hello("")]
                .concat(),
        ),
    ]
}

fn ends() -> Vec<Lie> {
    vec![
        Lie::refuse("nothing but the end", "").and_close(),
        Lie::refuse("half a status line", "HTTP/1.1 2").and_close(),
        Lie::refuse("half a head", "HTTP/1.1 200 OK\r\nContent-Le").and_close(),
        Lie::refuse("a head without its end", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n").and_close(),
        Lie::refuse("100 and the end", "HTTP/1.1 100 Continue\r\n\r\n").and_close(),
    ]
}
