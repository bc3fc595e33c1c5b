//! One of many, by a key: the same one whoever asks, and for nearly every key still the same when one of the many leaves.
//!
//! In: the names of the many, once; then keys. Out: their numbers, the one that a key belongs to first. Never: chance, or a
//! seed of its own. Two proxies must agree.

mod maglev;
mod ring;

pub use maglev::Maglev;
pub use ring::Ring;

/// Of so many at most a table tells which: their numbers are kept in two bytes.
pub const MEMBERS_MAX: usize = u16::MAX as usize;

/// Which of many a key belongs to.
#[derive(Debug)]
pub enum Table {
    /// By a ring.
    Ring(Ring),
    /// By Maglev's table.
    Maglev(Maglev),
}

impl Table {
    /// Numbers of the many, from the one that `key` belongs to on; numbers come up again and again, until the table ends. Nothing
    /// for a table of nobody.
    pub fn order(&self, key: u64) -> impl Iterator<Item = usize> {
        let (start, size) = match self {
            Self::Ring(ring) => (ring.start(key), ring.size()),
            Self::Maglev(maglev) => (maglev.start(key), maglev.size()),
        };
        (start..size).chain(0..start).map(|position| match self {
            Self::Ring(ring) => ring.at(position),
            Self::Maglev(maglev) => maglev.at(position),
        })
    }
}

/// A number for `bytes` that nobody's seed goes into (FNV-1a, and Murmur's last step so that every bit depends on every other).
pub fn hash(bytes: &[u8]) -> u64 {
    let sum =
        bytes.iter().fold(0xCBF2_9CE4_8422_2325, |sum: u64, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3));
    mixed(sum)
}

/// Another number for the same: the `round`th.
fn again(hash: u64, round: u64) -> u64 {
    mixed(hash ^ round.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

fn mixed(mut number: u64) -> u64 {
    number ^= number >> 33;
    number = number.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    number ^= number >> 33;
    number = number.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    number ^ (number >> 33)
}

#[cfg(test)]
mod tests;
