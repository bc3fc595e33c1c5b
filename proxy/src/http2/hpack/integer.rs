//! Numbers, which begin in the low bits of an octet that says something else in its high ones (RFC 7541, section 5.1).

use super::CompressionError;

/// Octets after the first that a number may have: what 32 bits need.
const CONTINUATIONS_MAX: usize = 5;

/// Reads a number whose first octet has it in its low `prefix` bits (1 to 8).
#[inline]
pub fn decode(input: &mut &[u8], prefix: u32) -> Result<usize, CompressionError> {
    let (&first, rest) = input.split_first().ok_or(CompressionError::Truncated)?;
    *input = rest;
    let full = u8::MAX >> (8 - prefix);
    let low = first & full;
    if low < full { Ok(usize::from(low)) } else { continued(input, u64::from(full)) }
}

fn continued(input: &mut &[u8], full: u64) -> Result<usize, CompressionError> {
    let mut value = full;
    for position in 0..CONTINUATIONS_MAX {
        let (&octet, rest) = input.split_first().ok_or(CompressionError::Truncated)?;
        *input = rest;
        value += u64::from(octet & 0x7f) << (7 * position);
        if octet & 0x80 == 0 {
            let value = u32::try_from(value).map_err(|_| CompressionError::Integer)?;
            return usize::try_from(value).map_err(|_| CompressionError::Integer);
        }
    }
    Err(CompressionError::Integer)
}

/// Writes `value` in the low `prefix` bits (1 to 8) of an octet whose high ones are `flags`, and what more it needs.
#[inline]
pub fn encode(value: usize, prefix: u32, flags: u8, out: &mut Vec<u8>) {
    let full = u8::MAX >> (8 - prefix);
    match u8::try_from(value) {
        Ok(value) if value < full => out.push(flags | value),
        _ => continue_with(value - usize::from(full), flags | full, out),
    }
}

fn continue_with(mut left: usize, first: u8, out: &mut Vec<u8>) {
    out.push(first);
    while left >= 0x80 {
        out.push(0x80 | low_bits(left));
        left >>= 7;
    }
    out.push(low_bits(left));
}

fn low_bits(value: usize) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 7541, appendix C.1.
    #[test]
    fn the_examples_of_the_specification_hold() {
        for (value, prefix, octets) in [(10, 5, &[0x0a][..]), (1337, 5, &[0x1f, 0x9a, 0x0a]), (42, 8, &[0x2a])] {
            let mut out = Vec::new();
            encode(value, prefix, 0, &mut out);
            assert_eq!(out, octets);
            assert_eq!(decode(&mut &out[..], prefix), Ok(value));
        }
    }

    #[test]
    fn a_number_too_large_or_too_long_is_refused() {
        for octets in [
            &[0x1f, 0xff, 0xff, 0xff, 0xff, 0x0f][..],
            &[0x1f, 0xff, 0xff, 0xff, 0xff, 0x7f],
            &[0x1f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
        ] {
            assert_eq!(decode(&mut &octets[..], 5), Err(CompressionError::Integer));
        }
        assert_eq!(decode(&mut &[0x1f, 0xe0, 0xff, 0xff, 0xff, 0x0f][..], 5), Ok(u32::MAX as usize));
    }

    #[test]
    fn a_number_that_breaks_off_is_refused() {
        for octets in [&[][..], &[0x1f], &[0x1f, 0x80]] {
            assert_eq!(decode(&mut &octets[..], 5), Err(CompressionError::Truncated));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value: u32, prefix in 1u32..=8, after: u8) {
            let mut out = Vec::new();
            encode(value as usize, prefix, 0, &mut out);
            out.push(after);
            let mut input = &out[..];
            prop_assert_eq!(decode(&mut input, prefix), Ok(value as usize));
            prop_assert_eq!(input, &[after]);
        }
    }
}
