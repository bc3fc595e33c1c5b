//! Both ends together, and each with the other of someone else.

use std::str::FromStr;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use proptest::prelude::*;

use super::{CompressionError, Decoder, Encoder, Field};

mod with_h2;

const NO_LIMIT: usize = usize::MAX;

fn write(encoder: &mut Encoder, field: &Field, out: &mut Vec<u8>) {
    match field {
        Field::Method(method) => encoder.method(method, out),
        Field::Scheme(scheme) => encoder.scheme(scheme, out),
        Field::Authority(authority) => encoder.authority(authority, out),
        Field::Path(path) => encoder.path(path, out),
        Field::Protocol(protocol) => encoder.protocol(protocol, out),
        Field::Status(status) => encoder.status(*status, out),
        Field::Regular(name, value) => encoder.field(name, value, out),
        Field::Malformed(flaw) => panic!("{}", flaw.word()),
    }
}

fn block(encoder: &mut Encoder, fields: &[Field]) -> Bytes {
    let mut out = Vec::new();
    encoder.begin(&mut out);
    fields.iter().for_each(|field| write(encoder, field, &mut out));
    out.into()
}

fn read(decoder: &mut Decoder, block: &Bytes) -> Result<Vec<Field>, CompressionError> {
    let mut fields = Vec::new();
    decoder.decode(block, NO_LIMIT, |field| fields.push(field)).map(|_| fields)
}

/// Fields that repeat, that never do, that fill the table, and that must not be indexed.
fn any_field() -> impl Strategy<Value = Field> {
    let names = "accept|accept-encoding|cookie|date|content-length|user-agent|traceparent|x-[a-d]|[a-z]{1,70}";
    let values = prop_oneof!["[a-d]?", "gzip, deflate", "[!-~]{1,40}", "[!-~]{200,600}"];
    let value = (values, any::<bool>()).prop_map(|(text, is_sensitive)| {
        let mut value = HeaderValue::from_str(&text).expect("a value");
        value.set_sensitive(is_sensitive);
        value
    });
    prop_oneof![
        1 => prop_oneof![Just(Method::GET), Just(Method::POST), Just(Method::PUT)].prop_map(Field::Method),
        1 => "http|https|ws".prop_map(|scheme| Field::Scheme(scheme.into())),
        1 => "[a-c]|[a-z]{9}".prop_map(|authority| Field::Authority(authority.into())),
        1 => r"/|/index\.html|/[a-z]{0,300}".prop_map(|path| Field::Path(path.into())),
        1 => Just(Field::Protocol(Bytes::from_static(b"websocket"))),
        1 => (100u16..1000).prop_map(|code| Field::Status(StatusCode::from_u16(code).expect("a code"))),
        12 => (names, value)
            .prop_map(|(name, value)| Field::Regular(HeaderName::from_str(&name).expect("a name"), value)),
    ]
}

/// What happens on a connection.
#[derive(Clone, Debug)]
enum Event {
    Setting(u32),
    List(Vec<Field>),
}

fn any_events() -> impl Strategy<Value = Vec<Event>> {
    let setting = prop_oneof![0u32..200, 0u32..5000, Just(u32::MAX)].prop_map(Event::Setting);
    let list = prop::collection::vec(any_field(), 0..12).prop_map(Event::List);
    prop::collection::vec(prop_oneof![1 => setting, 4 => list], 0..16)
}

/// Which fields must not be indexed: equality does not look at it.
fn marks(fields: &[Field]) -> Vec<bool> {
    fields.iter().map(|field| matches!(field, Field::Regular(_, value) if value.is_sensitive())).collect()
}

proptest! {
    // A case is a whole connection.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(events in any_events()) {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new(4096));
        for event in events {
            match event {
                Event::Setting(bytes) => encoder.set_table_max(bytes),
                Event::List(fields) => {
                    let found = read(&mut decoder, &block(&mut encoder, &fields));
                    prop_assert_eq!(found.as_deref().map(marks), Ok(marks(&fields)));
                    prop_assert_eq!(found, Ok(fields));
                }
            }
        }
    }

    #[test]
    fn whatever_comes_is_read_or_refused(blocks: Vec<Vec<u8>>) {
        let mut decoder = Decoder::new(4096);
        for block in blocks {
            if read(&mut decoder, &block.into()).is_err() {
                break;
            }
        }
    }

    /// Blocks with a few octets changed get further into a decoder than any octets do.
    #[test]
    fn damaged_blocks_are_read_or_refused(events in any_events(), damage: Vec<(usize, u8)>) {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new(4096));
        for event in events {
            let Event::List(fields) = event else { continue };
            let mut octets = block(&mut encoder, &fields).to_vec();
            for (place, damaged) in &damage {
                if let Some(octet) = octets.get_mut(place % 1000) {
                    *octet = *damaged;
                }
            }
            if read(&mut decoder, &octets.into()).is_err() {
                break;
            }
        }
    }
}
