//! Lengths of time as the Gateway API writes them: `1h30m`, `500ms`. Source: GEP-2257.

use std::time::Duration;

/// Parts of one, and digits of each.
const PARTS_MAX: usize = 4;
const DIGITS_MAX: usize = 5;

/// Reads one; `None` when it is none.
pub(in crate::watch) fn read(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut parts = 0;
    while !rest.is_empty() {
        let (digits, after) = split(rest, |letter| letter.is_ascii_digit());
        let (unit, after) = split(after, |letter| letter.is_ascii_alphabetic());
        parts += 1;
        if parts > PARTS_MAX || digits.len() > DIGITS_MAX {
            return None;
        }
        let number: u64 = digits.parse().ok()?;
        total += match unit {
            "h" => Duration::from_secs(number * 3600),
            "m" => Duration::from_secs(number * 60),
            "s" => Duration::from_secs(number),
            "ms" => Duration::from_millis(number),
            _ => return None,
        };
        rest = after;
    }
    (parts > 0).then_some(total)
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|letter| !belongs(letter)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        for (text, milliseconds) in [("0s", 0), ("10s", 10_000), ("500ms", 500), ("1h30m", 5_400_000), ("1m1s1ms", 61_001)] {
            assert_eq!(read(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in ["", "10", "s", "1.5s", "-1s", "1d", "100000s", "1s1s1s1s1s", "1s ", "é"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
