//! The static table (RFC 7541, appendix A).

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::{Field, Flaw, field::Name, table::OVERHEAD};

/// Entries it has. Their indices are 1 to this; the dynamic table's follow.
pub const LENGTH: usize = 61;

/// The entries in the order of their indices.
pub const TEXTS: [(&str, &str); LENGTH] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// Indices of the pseudo-header fields' names.
pub mod index {
    pub const AUTHORITY: usize = 1;
    pub const METHOD: usize = 2;
    pub const PATH: usize = 4;
    pub const SCHEME: usize = 6;
    pub const STATUS: usize = 8;
}

static FIELDS: [Field; LENGTH] = fields();

/// The field at `place` (its index less one), and what it counts in a list.
#[inline]
pub fn field(place: usize) -> Option<(&'static Field, usize)> {
    FIELDS.get(place).map(|field| (field, SIZES[place]))
}

/// The name of the field at `place`.
pub fn name(place: usize) -> Option<Name> {
    Some(match FIELDS.get(place)? {
        Field::Authority(_) => Name::Authority,
        Field::Method(_) => Name::Method,
        Field::Path(_) => Name::Path,
        Field::Scheme(_) => Name::Scheme,
        Field::Status(_) => Name::Status,
        Field::Regular(name, _) => Name::Regular(name.clone()),
        Field::Protocol(_) | Field::Malformed(_) => return None,
    })
}

const SIZES: [usize; LENGTH] = {
    let mut sizes = [OVERHEAD; LENGTH];
    let mut place = 0;
    while place < LENGTH {
        sizes[place] += TEXTS[place].0.len() + TEXTS[place].1.len();
        place += 1;
    }
    sizes
};

const fn fields() -> [Field; LENGTH] {
    let mut fields = [const { Field::Malformed(Flaw::Pseudo) }; LENGTH];
    let mut place = 0;
    while place < LENGTH {
        // Forgotten, since nothing can be dropped while this is compiled.
        std::mem::forget(std::mem::replace(&mut fields[place], ready(place + 1)));
        place += 1;
    }
    fields
}

const fn ready(index: usize) -> Field {
    let (name, value) = TEXTS[index - 1];
    match index {
        1 => Field::Authority(Bytes::new()),
        2 => Field::Method(Method::GET),
        3 => Field::Method(Method::POST),
        4 | 5 => Field::Path(Bytes::from_static(value.as_bytes())),
        6 | 7 => Field::Scheme(Bytes::from_static(value.as_bytes())),
        8 => Field::Status(StatusCode::OK),
        9 => Field::Status(StatusCode::NO_CONTENT),
        10 => Field::Status(StatusCode::PARTIAL_CONTENT),
        11 => Field::Status(StatusCode::NOT_MODIFIED),
        12 => Field::Status(StatusCode::BAD_REQUEST),
        13 => Field::Status(StatusCode::NOT_FOUND),
        14 => Field::Status(StatusCode::INTERNAL_SERVER_ERROR),
        _ => Field::Regular(HeaderName::from_static(name), HeaderValue::from_static(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ready_field_is_what_its_text_says() {
        for (place, (name, value)) in TEXTS.iter().enumerate().skip(1) {
            let read = Name::read(name.as_bytes()).with(Bytes::from_static(value.as_bytes()), false);
            let (ready, size) = field(place).expect("an entry");
            assert_eq!((ready, size), (&read, name.len() + value.len() + 32));
        }
        assert_eq!(field(0), Some((&Field::Authority(Bytes::new()), 42)));
        assert_eq!(field(LENGTH), None);
    }

    #[test]
    fn each_name_is_what_its_text_says() {
        for (place, (text, _)) in TEXTS.iter().enumerate() {
            let named = name(place).map(|name| name.with(Bytes::from_static(b"200"), false));
            assert_eq!(named, Some(Name::read(text.as_bytes()).with(Bytes::from_static(b"200"), false)));
        }
        assert!(name(LENGTH).is_none());
    }
}
