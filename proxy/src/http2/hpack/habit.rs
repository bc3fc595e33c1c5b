//! Which fields are worth a place in the table.

use super::fixed;

/// What is known of the values that a name has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Nothing: what repeats shows.
    Open,
    /// Each message has its own. A place would be lost on it.
    Fresh,
    /// It must not be guessed. What many callers share a connection for could be found out by the size of a guess, if
    /// values were compressed against those of others (RFC 7541, section 7.1).
    Secret,
}

/// What is known of a name.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its index in the static table, or 0.
    pub index: usize,
    pub habit: Habit,
}

/// What is known of the name of a field that is no pseudo-header field.
#[inline]
pub fn of(name: &[u8], digest: u64) -> Known {
    let mut slot = slot(digest);
    while let Some((known_name, known)) = KNOWN[slot] {
        if known_name.as_bytes() == name {
            return known;
        }
        slot = (slot + 1) % SLOTS;
    }
    Known { index: 0, habit: Habit::Open }
}

/// Names whose values are not open, by habit.
const HABITS: [(&str, Habit); 38] = [
    ("age", Habit::Fresh),
    ("authorization", Habit::Secret),
    ("b3", Habit::Fresh),
    ("content-length", Habit::Fresh),
    ("content-location", Habit::Fresh),
    ("content-range", Habit::Fresh),
    ("cookie", Habit::Secret),
    ("date", Habit::Fresh),
    ("etag", Habit::Fresh),
    ("expires", Habit::Fresh),
    ("grpc-timeout", Habit::Fresh),
    ("grpc-trace-bin", Habit::Fresh),
    ("idempotency-key", Habit::Fresh),
    ("if-match", Habit::Fresh),
    ("if-modified-since", Habit::Fresh),
    ("if-none-match", Habit::Fresh),
    ("if-range", Habit::Fresh),
    ("if-unmodified-since", Habit::Fresh),
    ("last-modified", Habit::Fresh),
    ("location", Habit::Fresh),
    ("proxy-authorization", Habit::Secret),
    ("range", Habit::Fresh),
    ("set-cookie", Habit::Secret),
    ("traceparent", Habit::Fresh),
    ("tracestate", Habit::Fresh),
    ("x-amz-security-token", Habit::Secret),
    ("x-amzn-trace-id", Habit::Fresh),
    ("x-api-key", Habit::Secret),
    ("x-auth-token", Habit::Secret),
    ("x-b3-parentspanid", Habit::Fresh),
    ("x-b3-spanid", Habit::Fresh),
    ("x-b3-traceid", Habit::Fresh),
    ("x-cloud-trace-context", Habit::Fresh),
    ("x-correlation-id", Habit::Fresh),
    ("x-csrf-token", Habit::Secret),
    ("x-request-id", Habit::Fresh),
    ("x-request-start", Habit::Fresh),
    ("x-xsrf-token", Habit::Secret),
];

/// More than twice the names, so that most stand where they are first looked for.
const SLOTS: usize = 256;

type Slot = Option<(&'static str, Known)>;

static KNOWN: [Slot; SLOTS] = {
    let mut known = [None; SLOTS];
    // The first names are those of pseudo-header fields, which are not looked up.
    let mut place = 14;
    while place < fixed::LENGTH {
        let name = fixed::TEXTS[place].0;
        known = with(known, name, Known { index: place + 1, habit: Habit::Open });
        place += 1;
    }
    let mut place = 0;
    while place < HABITS.len() {
        let (name, habit) = HABITS[place];
        known = with(known, name, Known { index: 0, habit });
        place += 1;
    }
    known
};

/// `known` with a name more, or with its habit if the name is there.
const fn with(mut known: [Slot; SLOTS], name: &'static str, add: Known) -> [Slot; SLOTS] {
    let mut slot = slot(digest(name.as_bytes()));
    while let Some((other, there)) = known[slot] {
        if is_same(other.as_bytes(), name.as_bytes()) {
            known[slot] = Some((name, Known { index: there.index, habit: add.habit }));
            return known;
        }
        slot = (slot + 1) % SLOTS;
    }
    known[slot] = Some((name, add));
    known
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut place = 0;
    while place < one.len() && place < other.len() && one[place] == other[place] {
        place += 1;
    }
    place == one.len() && place == other.len()
}

const fn slot(digest: u64) -> usize {
    digest.to_le_bytes()[0] as usize
}

/// A short look at octets: their number, the first and the last of them. It tells apart what fields commonly are, and
/// whoever makes many alike makes a search through the table's few entries no longer than it can be anyway.
#[inline]
pub const fn digest(octets: &[u8]) -> u64 {
    let (first, last) = if let (Some(first), Some(last)) = (octets.first_chunk::<8>(), octets.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (octets.first_chunk::<4>(), octets.last_chunk::<4>()) {
        (u32::from_le_bytes(*first) as u64, u32::from_le_bytes(*last) as u64)
    } else if let ([first, ..], [.., last]) = (octets, octets) {
        (*first as u64 | (octets[octets.len() / 2] as u64) << 8, *last as u64)
    } else {
        (0, 0)
    };
    mixed(mixed(first ^ (octets.len() as u64) << 56) ^ last)
}

/// `value` with every bit depending on many of the others.
#[inline]
pub const fn mixed(value: u64) -> u64 {
    // The golden ratio's fraction: odd, and without a pattern in its bits.
    let spread = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    spread ^ spread >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> Known {
        of(name.as_bytes(), digest(name.as_bytes()))
    }

    #[test]
    fn every_name_of_the_static_table_is_known() {
        for (place, (name, _)) in fixed::TEXTS.iter().enumerate().skip(14) {
            assert_eq!(known(name).index, place + 1, "{name}");
        }
    }

    #[test]
    fn a_habit_is_known_with_and_without_an_index() {
        for (name, habit) in HABITS {
            assert_eq!(known(name).habit, habit, "{name}");
        }
        assert_eq!(known("date").index, 33);
        assert_eq!(known("traceparent").index, 0);
        assert_eq!(known("accept").habit, Habit::Open);
    }

    #[test]
    fn nothing_is_known_of_other_names() {
        for name in ["", "x", "x-a", ":path", "x-request-idx"] {
            let Known { index, habit } = known(name);
            assert_eq!((index, habit), (0, Habit::Open), "{name}");
        }
    }
}
