//! Lengths of time, numbers and shares, and the mistakes in them.

use std::{fmt::Display, ops::RangeInclusive, time::Duration};

use super::{super::routes::time, Mistake};

/// What is waited, counted over or held up is no longer than this: a day.
const TIME_MAX: Duration = Duration::from_secs(86_400);

/// Of a hundred.
const PERCENT: RangeInclusive<u32> = 0..=100;

/// A hundredth, in millionths.
const HUNDREDTH: f64 = 10_000.0;

/// Reads, and remembers what cannot be read.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) mistakes: Vec<Mistake>,
}

impl Reading {
    pub(super) fn wrong(&mut self, field: &str, what: impl Into<String>) {
        self.mistakes.push(Mistake { field: field.to_owned(), what: what.into() });
    }

    /// A length of time, zero too.
    pub(super) fn time(&mut self, field: &str, text: &str) -> Option<Duration> {
        let time = time::read(text);
        if time.is_none() {
            self.wrong(field, format!("`{text}` is not a length of time, as in 10s or 1h30m"));
        }
        time
    }

    /// A length of time that is one, and not longer than a day.
    pub(super) fn span(&mut self, field: &str, text: &str) -> Option<Duration> {
        let time = self.time(field, text)?;
        let is_one = !time.is_zero() && time <= TIME_MAX;
        if !is_one {
            self.wrong(field, format!("`{text}` is not from 1ms to 24h"));
        }
        is_one.then_some(time)
    }

    /// The same, or what is meant when nothing is said.
    pub(super) fn span_or(&mut self, field: &str, text: Option<&str>, unsaid: Duration) -> Option<Duration> {
        text.map_or(Some(unsaid), |text| self.span(field, text))
    }

    /// A number in a range.
    pub(super) fn number<T: Copy + PartialOrd + Display>(
        &mut self,
        field: &str,
        number: T,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        let is_within = range.contains(&number);
        if !is_within {
            self.wrong(field, format!("{number} is not a number from {} to {}", range.start(), range.end()));
        }
        is_within.then_some(number)
    }

    /// A number of a hundred.
    pub(super) fn percent(&mut self, field: &str, percent: u32) -> Option<u32> {
        self.number(field, percent, PERCENT)
    }

    /// A number, if one is said: `None` when it is wrong, `Some(None)` when there is none.
    #[expect(clippy::option_option, reason = "what is wrong spoils its section, and what is not said does not")]
    pub(super) fn number_if(&mut self, field: &str, number: Option<u32>, range: RangeInclusive<u32>) -> Option<Option<u32>> {
        number.map_or(Some(None), |number| self.number(field, number, range).map(Some))
    }

    /// A share in percent, in millionths; all when nothing is said.
    pub(super) fn share(&mut self, field: &str, percent: Option<f64>) -> Option<u32> {
        let percent = self.number(field, percent.unwrap_or(100.0), 0.0..=100.0)?;
        // Not more than a million.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some((percent * HUNDREDTH).round() as u32)
    }

    /// A word of those that something has.
    pub(super) fn word<T: Copy>(&mut self, field: &str, word: &str, known: &[T], spelt: fn(T) -> &'static str) -> Option<T> {
        let found = known.iter().copied().find(|known| spelt(*known) == word);
        if found.is_none() {
            let words: Vec<&str> = known.iter().map(|known| spelt(*known)).collect();
            self.wrong(field, format!("`{word}` is unknown here: expected {}", words.join(", ")));
        }
        found
    }

    /// Words of those; `None` when one of them is none.
    pub(super) fn words<T: Copy>(
        &mut self,
        field: &str,
        words: &[String],
        known: &[T],
        spelt: fn(T) -> &'static str,
    ) -> Option<Vec<T>> {
        let read = words.iter().enumerate().map(|(number, word)| self.word(&format!("{field}[{number}]"), word, known, spelt));
        // All of them, before one that is none ends it.
        let read: Vec<Option<T>> = read.collect();
        read.into_iter().collect()
    }
}
