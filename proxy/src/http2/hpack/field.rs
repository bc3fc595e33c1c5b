//! A field, and what makes one of a name and a value.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::Flaw;

/// One field of a list that was read.
///
/// The values of pseudo-header fields that are octets have been held against the rules for every value (RFC 9113, section 8.2.1),
/// and against no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// `:method`
    Method(Method),
    /// `:scheme`
    Scheme(Bytes),
    /// `:authority`
    Authority(Bytes),
    /// `:path`
    Path(Bytes),
    /// `:protocol` (RFC 8441)
    Protocol(Bytes),
    /// `:status`
    Status(StatusCode),
    /// Any other. A value that no intermediary may index is marked sensitive.
    Regular(HeaderName, HeaderValue),
    /// One that can be read, and that HTTP/2 does not allow: its message is malformed, the connection is not.
    Malformed(Flaw),
}

/// What a field is called, when its value is still to come.
#[derive(Clone, Debug)]
pub enum Name {
    Method,
    Scheme,
    Authority,
    Path,
    Protocol,
    Status,
    Regular(HeaderName),
    Malformed(Flaw),
}

impl Name {
    /// The name that `octets` are.
    pub fn read(octets: &[u8]) -> Self {
        if octets.first() == Some(&b':') {
            return Self::pseudo(octets);
        }
        HeaderName::from_lowercase(octets).map_or(Self::Malformed(Flaw::Name), Self::Regular)
    }

    fn pseudo(octets: &[u8]) -> Self {
        match octets {
            b":method" => Self::Method,
            b":scheme" => Self::Scheme,
            b":authority" => Self::Authority,
            b":path" => Self::Path,
            b":protocol" => Self::Protocol,
            b":status" => Self::Status,
            _ => Self::Malformed(Flaw::Pseudo),
        }
    }

    /// The field of this name with the value that `text` is.
    pub fn with(self, text: Bytes, is_sensitive: bool) -> Field {
        self.try_with(text, is_sensitive).unwrap_or_else(Field::Malformed)
    }

    fn try_with(self, text: Bytes, is_sensitive: bool) -> Result<Field, Flaw> {
        Ok(match self {
            Self::Method => Field::Method(Method::from_bytes(&text).map_err(|_| Flaw::Method)?),
            Self::Status => Field::Status(StatusCode::from_bytes(&text).map_err(|_| Flaw::Status)?),
            Self::Scheme => Field::Scheme(octets(text)?),
            Self::Authority => Field::Authority(octets(text)?),
            Self::Path => Field::Path(octets(text)?),
            Self::Protocol => Field::Protocol(octets(text)?),
            Self::Regular(name) => {
                let mut value = value(text)?;
                value.set_sensitive(is_sensitive);
                Field::Regular(name, value)
            }
            Self::Malformed(flaw) => return Err(flaw),
        })
    }
}

/// `octets`, as the value of a pseudo-header field.
fn octets(octets: Bytes) -> Result<Bytes, Flaw> {
    check_edges(&octets)?;
    let is_control = |octet: u8| octet < b' ' && octet != b'\t' || octet == 0x7f;
    // All of them, without an early end: so they are looked at many at a time.
    if octets.iter().fold(false, |found, octet| found | is_control(*octet)) { Err(Flaw::Value) } else { Ok(octets) }
}

/// `octets`, as the value of any other. Every control character but the tab is refused, where HTTP/2 requires no more than
/// NUL, CR and LF to be (RFC 9110, section 5.5).
fn value(octets: Bytes) -> Result<HeaderValue, Flaw> {
    check_edges(&octets)?;
    HeaderValue::from_maybe_shared(octets).map_err(|_| Flaw::Value)
}

fn check_edges(octets: &[u8]) -> Result<(), Flaw> {
    let is_space = |octet: Option<&u8>| matches!(octet, Some(b' ' | b'\t'));
    if is_space(octets.first()) || is_space(octets.last()) { Err(Flaw::Edge) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &'static [u8]) -> Field {
        Name::read(name.as_bytes()).with(Bytes::from_static(value), false)
    }

    #[test]
    fn a_name_is_a_token_in_lower_case() {
        assert_eq!(field("x-a", b"b"), Field::Regular(HeaderName::from_static("x-a"), HeaderValue::from_static("b")));
        for name in ["", "X-a", "a b", "a:b", "a\0", "\u{e9}"] {
            assert_eq!(field(name, b"b"), Field::Malformed(Flaw::Name), "{name:?}");
        }
    }

    #[test]
    fn a_pseudo_header_field_is_one_that_is_known() {
        assert_eq!(field(":protocol", b"websocket"), Field::Protocol(Bytes::from_static(b"websocket")));
        for name in [":", ":Path", ":host", "::path"] {
            assert_eq!(field(name, b"b"), Field::Malformed(Flaw::Pseudo), "{name:?}");
        }
    }

    #[test]
    fn a_value_has_no_control_character_and_no_space_around_it() {
        for name in ["x-a", ":path", ":authority", ":scheme", ":protocol"] {
            for value in [&b"a\0"[..], b"a\rb", b"a\nb", b"\x7f", b"\x1f"] {
                assert_eq!(field(name, value), Field::Malformed(Flaw::Value), "{name} {value:?}");
            }
            for value in [&b" a"[..], b"a ", b"\ta", b"a\t", b" "] {
                assert_eq!(field(name, value), Field::Malformed(Flaw::Edge), "{name} {value:?}");
            }
            for value in [&b""[..], b"a b", b"a\tb", b"\xff"] {
                assert!(!matches!(field(name, value), Field::Malformed(_)), "{name} {value:?}");
            }
        }
    }

    #[test]
    fn a_method_is_a_token_and_a_status_three_digits() {
        assert_eq!(field(":method", b"BREW"), Field::Method(Method::from_bytes(b"BREW").expect("a method")));
        assert_eq!(field(":status", b"418"), Field::Status(StatusCode::IM_A_TEAPOT));
        for value in [&b""[..], b"G ET", b"GET\n"] {
            assert_eq!(field(":method", value), Field::Malformed(Flaw::Method), "{value:?}");
        }
        for value in [&b""[..], b"20", b"2000", b"099", b"20x", b"+20"] {
            assert_eq!(field(":status", value), Field::Malformed(Flaw::Status), "{value:?}");
        }
    }
}
