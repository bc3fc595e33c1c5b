//! Reading attributes. The kernel writes them, and is believed no further than their bounds.

/// Masks the flags out of an attribute's type.
const KIND: u16 = 0x3fff;

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    /// Its type, without flags.
    pub(crate) kind: u16,
    /// What it holds.
    pub(crate) value: &'a [u8],
}

/// The attributes in `bytes`, up to the first that does not fit.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = Attribute<'_>> {
    std::iter::from_fn(move || {
        let (header, _) = bytes.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & KIND;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Attribute { kind, value })
    })
}

/// The first attribute of `kind`.
pub(crate) fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|attribute| attribute.kind == kind).map(|attribute| attribute.value)
}

/// A number in network byte order.
pub(crate) fn number_be(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

/// Text, with or without the NUL that the kernel likes to end it with.
pub(crate) fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.strip_suffix(&[0]).unwrap_or(value)).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::Message, *};

    #[test]
    fn what_is_written_is_read_back() {
        let mut message = Message::new(1, 2, &[]);
        message.put_text(3, "weft0").nest(4, |inner| inner.put_be32(5, 6).put(7, &[8]));
        let bytes = message.bytes(0);
        let attributes: Vec<_> = attributes(&bytes[16..]).collect();
        assert_eq!(attributes[0], Attribute { kind: 3, value: b"weft0\0" });
        assert_eq!(text(attributes[0].value), "weft0");
        assert_eq!(find(attributes[1].value, 5).and_then(number_be), Some(6));
        assert_eq!(find(attributes[1].value, 7), Some(&[8][..]));
    }

    #[test]
    fn an_attribute_that_claims_more_than_there_is_ends_the_reading() {
        let honest = [[8, 0], [1, 0], [0, 0], [0, 5]].concat();
        let liar = [[9, 0], [2, 0], [0, 0], [0, 5]].concat();
        assert_eq!(attributes(&[honest.clone(), liar].concat()).count(), 1);
        // Shorter than its own header: it could be read for ever.
        assert_eq!(attributes(&[honest, vec![0, 0, 2, 0]].concat()).count(), 1);
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic_or_go_on_for_ever(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(attributes(&bytes).take(1000).count() <= bytes.len() / 4);
        }
    }
}
