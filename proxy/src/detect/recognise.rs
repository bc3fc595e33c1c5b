//! What the first bytes of a connection are. Pure: bytes in, verdict out.
//!
//! Which mistake we prefer: to call HTTP "bytes" costs telemetry and per-request balancing; to call bytes "HTTP" breaks the
//! application. So a connection is HTTP only once its first line is complete and names a version.

/// The client connection preface of HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A first line longer than this is judged by what was seen of it. The HTTP parser then answers 414 or 431.
const FIRST_LINE_MAX: usize = 16 * 1024;

/// No registered method is longer (RFC 9110 sets no limit; `UPDATEREDIRECTREF` has 17 letters).
const METHOD_MAX: usize = 32;

/// What the bytes seen so far amount to. Later bytes never change a verdict other than `NeedMore`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They could still become something we know.
    NeedMore,
    /// The first line of an HTTP/1.0 or HTTP/1.1 request.
    Http1,
    /// The preface of HTTP/2.
    Http2,
    /// The beginning of a TLS record that holds a handshake.
    Tls,
    /// Anything else.
    Bytes,
}

/// Judges the first bytes a client sent.
pub fn recognise(seen: &[u8]) -> Verdict {
    match seen {
        [] => Verdict::NeedMore,
        [0x16] => Verdict::NeedMore,
        [0x16, 0x03, ..] => Verdict::Tls,
        _ if seen.starts_with(PREFACE) => Verdict::Http2,
        _ if PREFACE.starts_with(seen) => Verdict::NeedMore,
        _ => first_line(seen),
    }
}

/// Whether bytes that are too few to judge begin a TLS handshake or the preface of HTTP/2, rather than anything else.
pub fn begins_tls_or_http2(seen: &[u8]) -> bool {
    seen.first() == Some(&0x16) || PREFACE.starts_with(seen)
}

/// Length of an HTTP/2 frame's head (RFC 9113, section 4.1).
pub const FRAME_HEAD: usize = 9;

/// Whether a server's first bytes are the SETTINGS frame with which an HTTP/2 server may greet before its client does
/// (RFC 9113, section 3.4): of type 4, without flags, on stream 0, of whole settings.
pub fn greets_in_http2(opening: &[u8]) -> bool {
    match opening {
        [high, middle, low, 4, 0, 0, 0, 0, 0, ..] => {
            let length = u32::from_be_bytes([0, *high, *middle, *low]);
            length.is_multiple_of(6) && length <= 6 * 64
        }
        _ => false,
    }
}

fn first_line(seen: &[u8]) -> Verdict {
    // RFC 9112, section 2.2: a server should ignore at least one empty line before the request line.
    let seen = seen.strip_prefix(b"\r\n").unwrap_or(seen);
    let Some(space) = seen.iter().position(|byte| *byte == b' ') else {
        let could_be_method = seen.len() <= METHOD_MAX && (seen.iter().all(|byte| is_token(*byte)) || seen == b"\r");
        return if could_be_method { Verdict::NeedMore } else { Verdict::Bytes };
    };
    if space == 0 || space > METHOD_MAX || !seen[..space].iter().all(|byte| is_token(*byte)) {
        return Verdict::Bytes;
    }
    let rest = &seen[space + 1..];
    match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) if names_http_1(&rest[..end]) => Verdict::Http1,
        Some(_) => Verdict::Bytes,
        None if rest.iter().any(|byte| byte.is_ascii_control() && *byte != b'\r') => Verdict::Bytes,
        None if seen.len() >= FIRST_LINE_MAX => Verdict::Http1,
        None => Verdict::NeedMore,
    }
}

fn names_http_1(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0")
}

/// `tchar` of RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_protocol_is_told_from_its_first_bytes() {
        let cases: [(&[u8], Verdict); 16] = [
            (b"", Verdict::NeedMore),
            (b"GET / HTTP/1.1\r\n", Verdict::Http1),
            (b"\r\nGET / HTTP/1.1\r\n", Verdict::Http1),
            (b"GET / HTTP/1.0\n", Verdict::Http1),
            (b"GET /", Verdict::NeedMore),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0", Verdict::Http2),
            (b"PRI * HTTP/2.0\r\n", Verdict::NeedMore),
            (b"\x16\x03\x01", Verdict::Tls),
            (b"\x16", Verdict::NeedMore),
            // Redis, in its protocol and inline; PostgreSQL's SSLRequest; NATS; SMTP.
            (b"*1\r\n$4\r\nPING\r\n", Verdict::Bytes),
            (b"PING\r\n", Verdict::Bytes),
            (b"GET key\r\n", Verdict::Bytes),
            (b"\0\0\0\x08\x04\xd2\x16\x2f", Verdict::Bytes),
            (b"CONNECT {\"verbose\":false}\r\n", Verdict::Bytes),
            (b"EHLO client.example\r\n", Verdict::Bytes),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Verdict::Bytes),
        ];
        for (bytes, verdict) in cases {
            assert_eq!(recognise(bytes), verdict, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_greeting_of_http2_is_told_from_those_of_servers_that_speak_first() {
        assert!(greets_in_http2(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64"));
        assert!(greets_in_http2(b"\0\0\0\x04\0\0\0\0\0"));
        // MariaDB, SMTP, SSH, and a frame that is no greeting.
        for other in [
            &b"\x5b\0\0\0\x0a5.5.5-10"[..],
            b"220 mail ESMTP\r\n",
            b"SSH-2.0-x\r\n",
            b"\0\0\x05\x04\0\0\0\0\0",
            b"",
            b"\0\0\0\x04",
        ] {
            assert!(!greets_in_http2(other), "{}", other.escape_ascii());
        }
    }

    #[test]
    fn an_endless_first_line_is_left_to_the_http_parser() {
        let mut line = b"GET /".to_vec();
        line.resize(FIRST_LINE_MAX, b'a');
        assert_eq!(recognise(&line), Verdict::Http1);
    }

    proptest! {
        #[test]
        fn a_verdict_never_changes_when_more_bytes_arrive(
            start in prop_oneof![
                Just(b"GET / HTTP/1.1\r\n".to_vec()),
                Just(PREFACE.to_vec()),
                Just(b"PRI * HTTP/1.1\r\n".to_vec()),
                Just(b"\x16\x03\x01\x02".to_vec()),
                Just(b"\r\nPUT /x HTTP/1.0\r\n".to_vec()),
                prop::collection::vec(any::<u8>(), 0..64),
            ],
            more in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let whole = [start, more].concat();
            let mut latched = Verdict::NeedMore;
            for length in 0..=whole.len() {
                let verdict = recognise(&whole[..length]);
                if latched != Verdict::NeedMore {
                    prop_assert_eq!(verdict, latched, "after {} bytes", length);
                }
                latched = verdict;
            }
        }
    }
}
