//! Regular expressions, compiled once.

use regex::bytes::{Regex, RegexBuilder};

/// Bytes that a regular expression may take when it is compiled: what it costs to match grows with it.
const REGEX_MAX: usize = 64 * 1024;

/// An expression that matches texts from their beginning to their end.
pub(super) fn whole(expression: &str) -> Result<Regex, String> {
    // By itself first: what is unbalanced could make sense within our brackets.
    part(expression)?;
    part(&format!(r"\A(?:{expression})\z"))
}

/// An expression that matches parts of texts: of bytes and not letters, as RE2 takes `\w` and `\d`.
pub(super) fn part(expression: &str) -> Result<Regex, String> {
    let compiled = RegexBuilder::new(expression).unicode(false).size_limit(REGEX_MAX).build();
    compiled.map_err(|error| format!("{expression:?} cannot be used as a regular expression: {error}"))
}
