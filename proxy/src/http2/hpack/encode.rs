//! A block, written (RFC 7541, section 6).
//!
//! Strings are written as they are, without Huffman's code. A field enters the table when it is seen for the second time, and
//! not at all when its name promises that it will not come again or when it must not be guessed: what is there stays. A
//! name that the static table does not have enters with the field that brings it for the second time, whatever its value.

use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::{
    fixed::{self, index},
    habit::{self, Habit, Known},
    integer,
    lookup::{Digested, Lookup},
    sightings::Sightings,
    table,
};

/// The most of the table that one field may take: an eighth.
const SHARE: usize = 8;

/// One direction of a connection, written: the table that the peer's decoder follows.
#[derive(Debug)]
pub struct Encoder {
    table: Lookup,
    /// The least that the table's size has been since the last block, if it was changed.
    shrunk_to: Option<usize>,
    sightings: Sightings,
}

/// The three literals (section 6.2): the bits that say which, and the bits left for the name's index.
#[derive(Clone, Copy)]
struct Form {
    flags: u8,
    prefix: u32,
}

/// Enters the table.
const KEPT: Form = Form { flags: 0b0100_0000, prefix: 6 };
/// Does not.
const PASSING: Form = Form { flags: 0, prefix: 4 };
/// Does not, in any intermediary's.
const NEVER: Form = Form { flags: 0b0001_0000, prefix: 4 };

impl Encoder {
    /// An encoder for a new connection.
    pub fn new() -> Self {
        Self { table: Lookup::new(), shrunk_to: None, sightings: Sightings::new() }
    }

    /// Heeds the peer's `SETTINGS_HEADER_TABLE_SIZE`, in octets. No more than 4096 are used. The next block says so first.
    pub fn set_table_max(&mut self, bytes: u32) {
        let max = (bytes as usize).min(table::DEFAULT);
        if max != self.table.max() {
            self.table.resize(max);
            self.shrunk_to = Some(self.shrunk_to.map_or(max, |least| least.min(max)));
        }
    }

    /// Begins a block. To be called before its first field.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        let Some(least) = self.shrunk_to.take() else { return };
        let max = self.table.max();
        if least < max {
            integer::encode(least, 5, 0b0010_0000, out);
        }
        integer::encode(max, 5, 0b0010_0000, out);
    }

    /// Writes `:method`.
    pub fn method(&mut self, method: &Method, out: &mut Vec<u8>) {
        match *method {
            Method::GET => indexed(index::METHOD, out),
            Method::POST => indexed(index::METHOD + 1, out),
            _ => self.pseudo(index::METHOD, b":method", method.as_str().as_bytes(), out),
        }
    }

    /// Writes `:scheme`.
    pub fn scheme(&mut self, scheme: &[u8], out: &mut Vec<u8>) {
        match scheme {
            b"http" => indexed(index::SCHEME, out),
            b"https" => indexed(index::SCHEME + 1, out),
            _ => self.pseudo(index::SCHEME, b":scheme", scheme, out),
        }
    }

    /// Writes `:authority`.
    pub fn authority(&mut self, authority: &[u8], out: &mut Vec<u8>) {
        self.pseudo(index::AUTHORITY, b":authority", authority, out);
    }

    /// Writes `:path`, which never enters the table: paths are many, and some are secrets.
    pub fn path(&mut self, path: &[u8], out: &mut Vec<u8>) {
        match path {
            b"/" => indexed(index::PATH, out),
            _ => literal(PASSING, index::PATH, b":path", path, out),
        }
    }

    /// Writes `:protocol` (RFC 8441).
    pub fn protocol(&mut self, protocol: &[u8], out: &mut Vec<u8>) {
        self.pseudo(0, b":protocol", protocol, out);
    }

    /// Writes `:status`.
    pub fn status(&mut self, status: StatusCode, out: &mut Vec<u8>) {
        match status.as_u16() {
            200 => indexed(index::STATUS, out),
            204 => indexed(index::STATUS + 1, out),
            206 => indexed(index::STATUS + 2, out),
            304 => indexed(index::STATUS + 3, out),
            400 => indexed(index::STATUS + 4, out),
            404 => indexed(index::STATUS + 5, out),
            500 => indexed(index::STATUS + 6, out),
            _ => self.pseudo(index::STATUS, b":status", status.as_str().as_bytes(), out),
        }
    }

    /// Writes any other field. A sensitive value is told to be kept out of every table on its way (section 7.1.3).
    pub fn field(&mut self, name: &HeaderName, value: &HeaderValue, out: &mut Vec<u8>) {
        let field = digested(name.as_str().as_bytes(), value.as_bytes());
        if value.is_sensitive() {
            let known = habit::of(field.name, field.name_digest);
            return literal(NEVER, self.name_index(known.index, &field), field.name, field.value, out);
        }
        match self.table.pair(&field) {
            Some(newer) => indexed(dynamic(newer), out),
            None => self.unknown(habit::of(field.name, field.name_digest), &field, out),
        }
    }

    fn pseudo(&mut self, index: usize, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let field = digested(name, value);
        match self.table.pair(&field) {
            Some(newer) => indexed(dynamic(newer), out),
            None => self.unknown(Known { index, habit: Habit::Open }, &field, out),
        }
    }

    /// Writes a field that the dynamic table does not have.
    fn unknown(&mut self, known: Known, field: &Digested<'_>, out: &mut Vec<u8>) {
        if known.index > 0 && fixed::TEXTS[known.index - 1].1.as_bytes() == field.value {
            return indexed(known.index, out);
        }
        let index = self.name_index(known.index, field);
        if self.is_worth_keeping(index, known.habit, field) {
            literal(KEPT, index, field.name, field.value, out);
            self.table.insert(field);
        } else {
            literal(PASSING, index, field.name, field.value, out);
        }
    }

    fn is_worth_keeping(&mut self, index: usize, habit: Habit, field: &Digested<'_>) -> bool {
        if field.size() > self.table.max() / SHARE {
            return false;
        }
        match habit {
            Habit::Secret => false,
            _ if index == 0 => self.sightings.again(field.name),
            Habit::Fresh => false,
            Habit::Open => self.sightings.again((field.name, field.value)),
        }
    }

    /// The index of a field's name, which is `fixed` in the static table, or 0.
    fn name_index(&self, fixed: usize, field: &Digested<'_>) -> usize {
        if fixed > 0 { fixed } else { self.table.name(field).map_or(0, dynamic) }
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

/// The index of the dynamic table's entry that `newer` others came after.
fn dynamic(newer: usize) -> usize {
    fixed::LENGTH + 1 + newer
}

#[inline]
fn digested<'a>(name: &'a [u8], value: &'a [u8]) -> Digested<'a> {
    let name_digest = habit::digest(name);
    Digested { name, value, name_digest, pair_digest: habit::mixed(name_digest) ^ habit::digest(value) }
}

#[inline]
fn indexed(index: usize, out: &mut Vec<u8>) {
    integer::encode(index, 7, 0b1000_0000, out);
}

fn literal(form: Form, index: usize, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    integer::encode(index, form.prefix, form.flags, out);
    if index == 0 {
        text(name, out);
    }
    text(value, out);
}

fn text(octets: &[u8], out: &mut Vec<u8>) {
    integer::encode(octets.len(), 7, 0, out);
    out.extend_from_slice(octets);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One block with fields that are no pseudo-header fields.
    fn block(encoder: &mut Encoder, fields: &[(&'static str, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        encoder.begin(&mut out);
        for (name, value) in fields {
            encoder.field(&HeaderName::from_static(name), &HeaderValue::from_str(value).expect("a value"), &mut out);
        }
        out
    }

    /// The first octets of three blocks with the same field.
    fn thrice(name: &'static str, value: &str) -> [u8; 3] {
        let mut encoder = Encoder::new();
        [(); 3].map(|()| block(&mut encoder, &[(name, value)])[0])
    }

    fn written(write: impl Fn(&mut Encoder, &mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut Encoder::new(), &mut out);
        out
    }

    #[test]
    fn what_the_static_table_has_is_an_octet() {
        assert_eq!(written(|encoder, out| encoder.method(&Method::GET, out)), [0x82]);
        assert_eq!(written(|encoder, out| encoder.method(&Method::POST, out)), [0x83]);
        assert_eq!(written(|encoder, out| encoder.path(b"/", out)), [0x84]);
        assert_eq!(written(|encoder, out| encoder.scheme(b"http", out)), [0x86]);
        assert_eq!(written(|encoder, out| encoder.scheme(b"https", out)), [0x87]);
        for (code, octet) in [(200, 0x88), (204, 0x89), (206, 0x8a), (304, 0x8b), (400, 0x8c), (404, 0x8d), (500, 0x8e)] {
            let status = StatusCode::from_u16(code).expect("a status");
            assert_eq!(written(|encoder, out| encoder.status(status, out)), [octet]);
        }
        assert_eq!(block(&mut Encoder::new(), &[("accept-encoding", "gzip, deflate"), ("accept", "")]), [0x90, 0x93]);
    }

    #[test]
    fn a_field_enters_the_table_when_it_comes_again() {
        assert_eq!(thrice("accept", "a"), [0x0f, 0x53, 0xbe]);
        assert_eq!(thrice("x-a", "a"), [0x00, 0x40, 0xbe]);
        let mut encoder = Encoder::new();
        let mut authority = || {
            let mut out = Vec::new();
            encoder.authority(b"a", &mut out);
            out
        };
        assert_eq!([authority(), authority(), authority()], [vec![1, 1, b'a'], vec![0x41, 1, b'a'], vec![0xbe]]);
    }

    #[test]
    fn a_name_enters_it_whatever_its_values_are() {
        let mut encoder = Encoder::new();
        block(&mut encoder, &[("traceparent", "1"), ("traceparent", "2")]);
        // Its name is there, and no other value of it comes to be.
        assert_eq!(block(&mut encoder, &[("traceparent", "3")]), [0x0f, 47, 1, b'3']);
        assert_eq!(block(&mut encoder, &[("traceparent", "3")]), [0x0f, 47, 1, b'3']);
    }

    #[test]
    fn what_is_fresh_or_secret_or_large_never_enters_it() {
        assert_eq!(thrice("date", "a"), [0x0f; 3]);
        assert_eq!(thrice("authorization", "a"), [0x0f; 3]);
        assert_eq!(thrice("x-api-key", "a"), [0; 3]);
        assert_eq!(thrice("accept", &"a".repeat(475)), [0x0f; 3]);
        let path = |encoder: &mut Encoder, out: &mut Vec<u8>| encoder.path(b"/a", out);
        assert_eq!(written(|encoder, out| (0..3).for_each(|_| path(encoder, out)))[8..], [4, 2, b'/', b'a']);
    }

    #[test]
    fn what_is_sensitive_is_never_indexed() {
        let mut encoder = Encoder::new();
        block(&mut encoder, &[("x-a", "a"), ("x-a", "a"), ("accept", "a"), ("accept", "a")]);
        let mut value = HeaderValue::from_static("a");
        value.set_sensitive(true);
        let mut out = Vec::new();
        for name in ["x-a", "accept", "x-b"] {
            encoder.field(&HeaderName::from_static(name), &value, &mut out);
        }
        // Names may be: `x-a` has index 63, `accept` 19.
        assert_eq!(out, [&[0x1f, 48, 1, b'a', 0x1f, 4, 1, b'a', 0x10, 3][..], b"x-b", &[1, b'a']].concat());
    }

    #[test]
    fn a_block_says_first_what_became_of_the_tables_size() {
        let mut encoder = Encoder::new();
        encoder.set_table_max(4096);
        encoder.set_table_max(1 << 20);
        assert!(block(&mut encoder, &[]).is_empty());
        encoder.set_table_max(30);
        assert_eq!(block(&mut encoder, &[]), [0x3e]);
        assert!(block(&mut encoder, &[]).is_empty());
        encoder.set_table_max(0);
        encoder.set_table_max(100);
        encoder.set_table_max(u32::MAX);
        assert_eq!(block(&mut encoder, &[]), [0x20, 0x3f, 0xe1, 0x1f]);
    }

    #[test]
    fn an_emptied_table_begins_anew() {
        let mut encoder = Encoder::new();
        block(&mut encoder, &[("accept", "a"), ("accept", "a")]);
        encoder.set_table_max(0);
        encoder.set_table_max(4096);
        assert_eq!(block(&mut encoder, &[("accept", "a"), ("accept", "a")])[4..], [0x53, 1, b'a', 0xbe]);
    }
}
