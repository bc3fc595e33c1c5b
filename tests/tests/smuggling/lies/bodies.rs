//! Bodies of answers that are malformed.

use super::{Lie, chunked, ok};

pub fn lies() -> Vec<Lie> {
    let sizes: [&[u8]; 13] = [
        b"",
        b"0x5",
        b"+5",
        b"-5",
        b" 5",
        b"5 5",
        b"5_0",
        b"g",
        b"5g",
        b"5\0",
        b"10000000000000005",
        b"fffffffffffffffff",
        b"\x0b5",
    ];
    let framing: [(&str, &[u8]); 12] = [
        ("a size that ends in a bare LF", b"5\nhello\r\n0\r\n\r\n"),
        ("a size that ends in a bare CR", b"5\rhello\r\n0\r\n\r\n"),
        ("data that end in a bare LF", b"5\r\nhello\n0\r\n\r\n"),
        ("data that nothing ends", b"5\r\nhello0\r\n\r\n"),
        ("data that are too long", b"5\r\nhello!\r\n0\r\n\r\n"),
        ("data that are too short", b"5\r\nhell\r\n0\r\n\r\n"),
        ("an extension with a bare LF", b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
        ("an extension with a NUL", b"5;a\0\r\nhello\r\n0\r\n\r\n"),
        ("a last size that ends in a bare LF", b"5\r\nhello\r\n0\n\r\n"),
        ("a body that ends in a bare LF", b"5\r\nhello\r\n0\r\n\n"),
        ("a trailer with a bare LF", b"5\r\nhello\r\n0\r\nX-Trailer: 1\n\r\n"),
        ("a trailer without a colon", b"5\r\nhello\r\n0\r\nX-Trailer\r\n\r\n"),
    ];
    let ends: [(&str, &[u8]); 6] = [
        ("a size", b"5"),
        ("half a chunk", b"5\r\nhel"),
        ("a chunk", b"5\r\nhello\r\n"),
        ("the last size", b"5\r\nhello\r\n0\r\n"),
        ("half the end", b"5\r\nhello\r\n0\r\n\r"),
        ("a trailer", b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\n"),
    ];
    let sized = |size: &&[u8]| {
        let body = [size, b"\r\nhello\r\n0\r\n\r\n".as_slice()].concat();
        Lie::break_off(&format!("chunk size {}", size.escape_ascii()), chunked(body))
    };
    let mut lies: Vec<Lie> = sizes.iter().map(sized).collect();
    lies.extend(framing.map(|(name, body)| Lie::break_off(&format!("chunks: {name}"), chunked(body))));
    lies.extend(ends.map(|(name, body)| Lie::break_off(&format!("the end behind {name}"), chunked(body)).and_close()));
    lies.extend([
        Lie::break_off("the end before the end", [ok("Content-Length: 10\r\n").as_slice(), b"hello"].concat()).and_close(),
        Lie::break_off("the end before any of it", ok("Content-Length: 10\r\n")).and_close(),
        Lie::break_off("a bad size after good chunks", chunked("5\r\nhello\r\n5\r\nhello\r\n")).then("x\r\n"),
    ]);
    lies
}
