//! The Huffman code of strings (RFC 7541, section 5.2 and appendix B), read. We write none: an octet saved costs both ends
//! more than it is worth on a hop within a cluster.
//!
//! The code is canonical: codes grow with their length, and with the octet among those of one length. So the lengths say
//! all, and everything else here follows from them when this is compiled.

use super::CompressionError;

/// Bits of the shortest code.
const SHORTEST: u32 = 5;

/// Bits of the longest.
const LONGEST: u32 = 30;

/// The symbol that no string may contain.
const END: usize = 256;

/// Bits of each octet's code, and of `END`'s.
const LENGTHS: [u8; END + 1] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, //
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, //
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, //
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, //
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, //
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, //
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, //
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, //
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, //
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, //
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, //
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, //
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, //
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, //
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, //
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, //
    30,
];

/// Codes of one length, each with its first bit the highest of 32.
#[derive(Clone, Copy)]
struct Rank {
    first: u32,
    /// The last of them, with all that can follow it.
    last: u32,
    /// How many symbols have shorter codes.
    before: usize,
}

struct Code {
    /// By length.
    ranks: [Rank; LONGEST as usize + 1],
    /// Symbols in the order of their codes.
    symbols: [u16; END + 1],
    /// The code of each symbol, its first bit the highest.
    codes: [u32; END + 1],
}

static CODE: Code = code();

const fn code() -> Code {
    let none = Rank { first: 0, last: 0, before: 0 };
    let mut code = Code { ranks: [none; LONGEST as usize + 1], symbols: [0; END + 1], codes: [0; END + 1] };
    let (mut next, mut placed, mut length) = (0u32, 0, SHORTEST);
    while length <= LONGEST {
        code.ranks[length as usize].first = next;
        code.ranks[length as usize].before = placed;
        let mut symbol: u16 = 0;
        while symbol as usize <= END {
            if LENGTHS[symbol as usize] as u32 == length {
                code.symbols[placed] = symbol;
                code.codes[symbol as usize] = next;
                placed += 1;
                // After `END`, which is all ones, it is zero again.
                next = next.wrapping_add(1 << (32 - length));
            }
            symbol += 1;
        }
        code.ranks[length as usize].last = next.wrapping_sub(1);
        length += 1;
    }
    code
}

/// Bits that one look into [`STEPS`] decides.
const WINDOW: u32 = 12;

/// The octets that a window's bits begin with.
#[derive(Clone, Copy)]
struct Step {
    octets: [u8; 2],
    /// How many of `octets` there are; none when the first code is longer than the window.
    count: u8,
    /// Bits of their codes.
    bits: u8,
}

static STEPS: [Step; 1 << WINDOW] = steps();

const fn steps() -> [Step; 1 << WINDOW] {
    let code = code();
    let mut steps = [Step { octets: [0; 2], count: 0, bits: 0 }; 1 << WINDOW];
    let mut first = 0;
    while first < END && LENGTHS[code.symbols[first] as usize] as u32 <= WINDOW {
        let octet = code.symbols[first].to_le_bytes()[0];
        let bits = LENGTHS[octet as usize];
        let start = code.codes[octet as usize];
        fill(&mut steps, start, Step { octets: [octet, 0], count: 1, bits });
        let mut second = 0;
        while second < END && (LENGTHS[code.symbols[second] as usize] + bits) as u32 <= WINDOW {
            let next = code.symbols[second].to_le_bytes()[0];
            let step = Step { octets: [octet, next], count: 2, bits: bits + LENGTHS[next as usize] };
            fill(&mut steps, start | code.codes[next as usize] >> bits, step);
            second += 1;
        }
        first += 1;
    }
    steps
}

/// Sets all the windows that begin with the bits of `step`, which are the high ones of `start`.
const fn fill(steps: &mut [Step; 1 << WINDOW], start: u32, step: Step) {
    let mut window = (start >> (32 - WINDOW)) as usize;
    let end = window + (1 << (WINDOW - step.bits as u32));
    while window < end {
        steps[window] = step;
        window += 1;
    }
}

/// Appends to `out` what `coded` stands for. It is at most 8/5 as long.
pub fn decode(coded: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let start = out.len();
    // A step writes two octets, also when it has but one.
    out.resize(start + coded.len() * 8 / SHORTEST as usize + 2, 0);
    let length = decode_to(coded, &mut out[start..])?;
    out.truncate(start + length);
    Ok(())
}

fn decode_to(coded: &[u8], out: &mut [u8]) -> Result<usize, CompressionError> {
    let mut bits = Bits { next: 0, held: 0, rest: coded };
    let mut length = 0;
    loop {
        bits.refill();
        while bits.held >= WINDOW {
            let step = STEPS[(bits.next >> (u64::BITS - WINDOW)) as usize];
            if step.count == 0 {
                break;
            }
            out[length..length + 2].copy_from_slice(&step.octets);
            length += usize::from(step.count);
            bits.skip(u32::from(step.bits));
        }
        if bits.held < LONGEST && !bits.rest.is_empty() {
            continue;
        }
        let (symbol, taken) = first_symbol(bits.window());
        if taken > bits.held {
            return if bits.is_padding() { Ok(length) } else { Err(CompressionError::Huffman) };
        }
        out[length] = u8::try_from(symbol).map_err(|_| CompressionError::Huffman)?;
        length += 1;
        bits.skip(taken);
    }
}

/// The symbol that `window` begins with, and the length of its code.
fn first_symbol(window: u32) -> (u16, u32) {
    let mut length = SHORTEST;
    while window > CODE.ranks[length as usize].last {
        length += 1;
    }
    let rank = CODE.ranks[length as usize];
    let place = rank.before + ((window - rank.first) >> (32 - length)) as usize;
    (CODE.symbols[place], length)
}

/// Bits that are still to be read.
struct Bits<'a> {
    /// The next of them, the first the highest. Below those that are `held`, nothing is promised.
    next: u64,
    held: u32,
    rest: &'a [u8],
}

impl Bits<'_> {
    /// Holds at least 56, or all there are.
    #[inline]
    fn refill(&mut self) {
        if let Some(octets) = self.rest.first_chunk() {
            let whole = (u64::BITS - 1 - self.held) / 8;
            self.next |= u64::from_be_bytes(*octets) >> self.held;
            self.held += 8 * whole;
            self.rest = &self.rest[whole as usize..];
            return;
        }
        while let (true, Some((&octet, rest))) = (self.held <= u64::BITS - 8, self.rest.split_first()) {
            // What a refill of eight left below those held are bits of this very octet.
            self.next |= u64::from(octet) << (u64::BITS - 8 - self.held);
            self.held += 8;
            self.rest = rest;
        }
    }

    /// The next 32, with ones for those that are missing: the padding of a string goes on for ever.
    #[inline]
    fn window(&self) -> u32 {
        let missing = u64::MAX.checked_shr(self.held).unwrap_or(0);
        ((self.next | missing) >> 32) as u32
    }

    #[inline]
    fn skip(&mut self, bits: u32) {
        self.next <<= bits;
        self.held -= bits;
    }

    /// Whether what is left is padding: less than an octet, all ones.
    fn is_padding(&self) -> bool {
        self.held < 8 && self.next >> (u64::BITS - 8) | 0xff >> self.held == 0xff
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(coded: &[u8]) -> Result<Vec<u8>, CompressionError> {
        let mut out = Vec::new();
        decode(coded, &mut out).map(|()| out)
    }

    /// Bit by bit, from the codes alone.
    fn plainly_coded(octets: &[u8]) -> Vec<u8> {
        let mut bits = String::new();
        for octet in octets {
            let length = usize::from(LENGTHS[usize::from(*octet)]);
            bits.push_str(&format!("{:032b}", CODE.codes[usize::from(*octet)])[..length]);
        }
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        bits.as_bytes().chunks(8).map(|octet| octet.iter().fold(0, |value, bit| value << 1 | (bit - b'0'))).collect()
    }

    /// As `plainly_coded`, back: the shortest run of bits that is a code is the next octet.
    fn plainly_decoded(coded: &[u8]) -> Option<Vec<u8>> {
        let (mut octets, mut run, mut length) = (Vec::new(), 0u32, 0u32);
        for bit in coded.iter().flat_map(|octet| (0..8).rev().map(move |place| octet >> place & 1)) {
            run = run << 1 | u32::from(bit);
            length += 1;
            let is_code = |symbol: &usize| u32::from(LENGTHS[*symbol]) == length && CODE.codes[*symbol] >> (32 - length) == run;
            if let Some(symbol) = (0..=END).find(is_code) {
                octets.push(u8::try_from(symbol).ok()?);
                (run, length) = (0, 0);
            }
        }
        (length < 8 && run == (1 << length) - 1).then_some(octets)
    }

    #[test]
    fn the_code_is_that_of_the_specification() {
        let code = |symbol: usize| (CODE.codes[symbol] >> (32 - u32::from(LENGTHS[symbol])), LENGTHS[symbol]);
        assert_eq!(code(0), (0x1ff8, 13));
        assert_eq!(code(10), (0x3fff_fffc, 30));
        assert_eq!(code(usize::from(b'0')), (0, 5));
        assert_eq!(code(usize::from(b'z')), (0x7b, 7));
        assert_eq!(code(usize::from(b'{')), (0x7ffe, 15));
        assert_eq!(code(128), (0xf_ffe6, 20));
        assert_eq!(code(249), (0xfff_fffe, 28));
        assert_eq!(code(255), (0x3ff_ffee, 26));
        assert_eq!(code(END), (0x3fff_ffff, 30));
    }

    /// RFC 7541, appendix C.4 and C.6.
    #[test]
    fn the_examples_of_the_specification_hold() {
        for (coded, text) in [
            (&[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff][..], "www.example.com"),
            (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], "no-cache"),
            (&[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf], "custom-value"),
            (&[0x64, 0x02], "302"),
        ] {
            assert_eq!(decoded(coded).as_deref(), Ok(text.as_bytes()));
        }
    }

    #[test]
    fn wrong_padding_and_an_end_within_are_refused() {
        // No padding at all; as much as is allowed (after 'a', which is 00011); an octet of it; zeros; the end.
        assert_eq!(decoded(&[]), Ok(Vec::new()));
        assert_eq!(decoded(&[0b0001_1111]), Ok(b"a".to_vec()));
        for coded in [&[0xff][..], &[0b0001_1111, 0xff], &[0b0001_1000], &[0b0001_1110], &[0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(decoded(coded), Err(CompressionError::Huffman), "{coded:x?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_coded_plainly_is_read(octets: Vec<u8>, text in "[ -~]{0,80}") {
            prop_assert_eq!(decoded(&plainly_coded(&octets)), Ok(octets));
            prop_assert_eq!(decoded(&plainly_coded(text.as_bytes())), Ok(text.into_bytes()));
        }

        #[test]
        fn whatever_comes_is_read_as_bit_by_bit(coded: Vec<u8>) {
            prop_assert_eq!(decoded(&coded).ok(), plainly_decoded(&coded));
        }

        #[test]
        fn a_changed_bit_is_read_as_bit_by_bit(text in "[ -~]{1,80}", place: prop::sample::Index) {
            let mut coded = plainly_coded(text.as_bytes());
            let bit = place.index(8 * coded.len());
            coded[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(decoded(&coded).ok(), plainly_decoded(&coded));
        }
    }
}
