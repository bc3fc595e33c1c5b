//! Everything that is wrong with the form of one document.
//!
//! A reader stops at the first mistake. To find the others, the lines of each mistake are taken away and the rest is read
//! again, until it can be read or what is left is our own doing.

use std::{collections::BTreeSet, ops::Range};

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_saphyr::Error;

use super::problem::meant;

/// Mistakes looked for in one document.
const MISTAKES_MAX: usize = 20;

/// One mistake, where it is in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Counted from 1; `None` when nothing certain is meant.
    pub(super) line: Option<usize>,
    /// Counted from 1; 0 when the whole line is meant.
    pub(super) column: usize,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// The YAML can be read; what it says is wrong.
    pub(super) of_form: bool,
}

/// Reads `text` as a `T`.
///
/// # Errors
/// Its mistakes, in the order in which they stand.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Vec<Mistake>> {
    let mut error = match serde_saphyr::from_str::<T>(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let mut mistakes: Vec<Mistake> = Vec::new();
    let mut rest = Remains::of(text);
    loop {
        let mistake = Mistake::of(&error, &rest.text());
        let Some(line) = mistake.line else {
            mistakes.push(mistake);
            break;
        };
        if is_missing(&error) {
            let (whole, ours) = rest.around(line);
            if !ours {
                mistakes.push(mistake);
            }
            rest.take(whole);
        } else {
            mistakes.push(mistake);
            rest.take_key(line);
        }
        // What cannot be read at all hides everything behind it, and what is no YAML now was some before we took of it.
        if mistakes.len() >= MISTAKES_MAX || rest.is_exhausted() || serde_saphyr::from_str::<IgnoredAny>(&rest.text()).is_err() {
            break;
        }
        match serde_saphyr::from_str::<T>(&rest.text()) {
            Ok(_) => break,
            Err(next) => error = next,
        }
    }
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    Err(mistakes)
}

impl Mistake {
    /// What `error` says of `text`, in our words.
    pub(super) fn of(error: &Error, text: &str) -> Self {
        let error = error.without_snippet();
        let number = |value: u64| usize::try_from(value).unwrap_or(0);
        let (line, column) = error.location().map_or((0, 0), |location| (number(location.line()), number(location.column())));
        let (message, hint) = worded(error, || token(text, line, column));
        let of_form = serde_saphyr::from_str::<IgnoredAny>(text).is_ok();
        Self { line: Some(line).filter(|line| *line > 0), column, message, hint, of_form }
    }
}

fn worded<'a>(error: &Error, token: impl FnOnce() -> Option<&'a str>) -> (String, Option<String>) {
    match error {
        Error::AliasError { error, .. } => worded(error, token),
        Error::SerdeUnknownField { field, expected, .. } => {
            let hint = match meant(field, expected.iter().copied()) {
                Some(word) => format!("did you mean `{word}`?"),
                None if expected.is_empty() => String::from("no field is known here"),
                None => format!("known fields: {}", expected.join(", ")),
            };
            (format!("unknown field `{field}`"), Some(hint))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let hint = match meant(variant, expected.iter().copied()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("one of {}", expected.join(", ")),
            };
            (format!("`{variant}` is unknown here"), Some(hint))
        }
        Error::SerdeMissingField { field, .. } => (format!("missing field `{field}`"), None),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            (format!("`{key}` is given twice"), Some(String::from("keep one of them")))
        }
        Error::InvalidScalar { ty, .. } => match token() {
            Some(token) => (format!("`{token}` is not {}", article(ty)), None),
            None => (format!("this is not {}", article(ty)), None),
        },
        Error::SerdeInvalidType { unexpected, expected, .. } | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            (format!("{expected} was expected, and this is {unexpected}"), None)
        }
        Error::Unexpected { expected: "mapping start", .. } => {
            (String::from("fields were expected here, as in `key: value`"), None)
        }
        Error::Unexpected { expected: "sequence start", .. } => (String::from("a list was expected here"), None),
        other => {
            let message = plain(other);
            match token().filter(|token| message.starts_with("invalid ") && !message.contains(token)) {
                Some(token) => (format!("`{token}`: {message}"), None),
                None => (message, None),
            }
        }
    }
}

/// What a Rust type is to people.
fn article(ty: &str) -> String {
    let whole = |most: &str| format!("a whole number from 0 to {most}");
    match ty {
        "u8" => whole("255"),
        "u16" => whole("65535"),
        "u32" => whole("4294967295"),
        "u64" | "usize" => String::from("a whole number"),
        "bool" | "boolean" => String::from("true or false"),
        other => format!("a valid {other}"),
    }
}

/// The word of a message that has no form of its own here, without the place that stands at one of its ends.
fn plain(error: &Error) -> String {
    let rendered = error.to_string();
    let first = rendered.lines().find(|line| !line.trim().is_empty()).unwrap_or("malformed").trim();
    let first = first.strip_prefix("error:").unwrap_or(first).trim();
    let first = first.strip_prefix("line ").and_then(|rest| rest.split_once(": ")).map_or(first, |(_, message)| message);
    first.split(" at line ").next().unwrap_or(first).to_owned()
}

fn is_missing(error: &Error) -> bool {
    matches!(error.without_snippet(), Error::SerdeMissingField { .. })
}

/// The scalar at a place.
fn token(text: &str, line: usize, column: usize) -> Option<&str> {
    let line = text.lines().nth(line.checked_sub(1)?)?;
    let (start, _) = line.char_indices().nth(column.checked_sub(1)?)?;
    let token = line[start..].split([',', ']', '}', '#']).next()?.trim();
    Some(token).filter(|token| !token.is_empty())
}

/// What is left of a document. Line numbers stay the same.
struct Remains<'a> {
    lines: Vec<&'a str>,
    /// Lines that were taken away, from 0.
    taken: BTreeSet<usize>,
    /// Whether the last taking took nothing.
    stuck: bool,
}

impl<'a> Remains<'a> {
    fn of(text: &'a str) -> Self {
        Self { lines: text.lines().collect(), taken: BTreeSet::new(), stuck: false }
    }

    fn text(&self) -> String {
        self.lines.join("\n")
    }

    fn is_exhausted(&self) -> bool {
        self.stuck || self.lines.iter().all(|line| line.trim().is_empty())
    }

    /// Takes line `number` (from 1) and what belongs to it. The item of a list stays one, without its first key.
    fn take_key(&mut self, number: usize) {
        let Some(line) = self.lines.get(number - 1).copied() else { return self.stuck = true };
        if !is_item(line) || !line.contains(':') {
            return self.take(self.block(number - 1));
        }
        let depth = first_key(line);
        let end = self.end(number, |other| indent(other) > depth);
        let dash = &line[..=indent(line)];
        self.take(number - 1..end);
        self.stuck = line == dash;
        self.lines[number - 1] = dash;
    }

    fn take(&mut self, block: Range<usize>) {
        self.stuck = block.clone().all(|line| self.lines[line].trim().is_empty());
        self.taken.extend(block.clone());
        self.lines[block].fill("");
    }

    /// The item or the field that holds the mapping of which line `number` (from 1) is the last key, and whether something
    /// was taken from it.
    fn around(&self, number: usize) -> (Range<usize>, bool) {
        let last = (number - 1).min(self.lines.len().saturating_sub(1));
        let Some(line) = self.lines.get(last) else { return (0..0, true) };
        let depth = if is_item(line) { first_key(line) } else { indent(line) };
        if depth == 0 {
            return (self.block(last), !self.taken.is_empty());
        }
        let begins = |line: &str| is_item(line) && first_key(line) == depth || !line.trim().is_empty() && indent(line) < depth;
        let start = (0..=last).rev().find(|index| begins(self.lines[*index])).unwrap_or(last);
        let block = self.block(start);
        let ours = self.taken.range(block.clone()).next().is_some();
        (block, ours)
    }

    /// Line `index` and what belongs to it.
    fn block(&self, index: usize) -> Range<usize> {
        let Some(line) = self.lines.get(index) else { return 0..0 };
        let (depth, key) = (indent(line), !is_item(line));
        // A list may stand as far to the left as the key it belongs to.
        index..self.end(index + 1, |other| indent(other) > depth || key && indent(other) == depth && is_item(other))
    }

    fn end(&self, from: usize, belongs: impl Fn(&str) -> bool) -> usize {
        let lines = self.lines.iter().enumerate().skip(from);
        let end = lines.take_while(|(_, line)| line.trim().is_empty() || belongs(line)).last();
        end.map_or(from, |(index, _)| index + 1)
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn is_item(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("- ") || line == "-"
}

/// The column of the first key of a list's item.
fn first_key(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '-']).len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::kinds::Service;

    fn lines(text: &str) -> Vec<(usize, String)> {
        let mistakes = parse::<Service>(text).unwrap_err();
        mistakes.into_iter().map(|mistake| (mistake.line.unwrap_or(0), mistake.message)).collect()
    }

    const HEAD: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: cart\n";

    #[test]
    fn every_mistake_is_found_with_its_line() {
        let text = format!("{HEAD}spec:\n  portz: []\n  selektor: {{}}\n  ports:\n  - prot: 80\n    port: 80000\n  type: [x]\n");
        let found = lines(&text);
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [6, 7, 9, 10, 11], "{found:?}");
        assert_eq!(found[3].1, "80000 is not a port from 1 to 65535");
    }

    #[test]
    fn what_belongs_to_a_mistake_goes_with_it() {
        let text =
            format!("{HEAD}spec:\n  portz:\n  - port: 80\n  - port: 81\n  selektor:\n    app: cart\n  ports: [{{port: x}}]\n");
        let found = lines(&text);
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [6, 9, 11], "{found:?}");
    }

    #[test]
    fn what_was_taken_away_is_not_called_missing() {
        let found = lines(&format!("{HEAD}spec:\n  ports:\n  - port: many\n"));
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn a_slip_is_corrected() {
        let mistakes = parse::<Service>(&format!("{HEAD}spec:\n  portz: []\n")).unwrap_err();
        assert_eq!(mistakes[0].hint.as_deref(), Some("did you mean `ports`?"));
    }

    #[test]
    fn what_is_really_missing_is_found_among_other_mistakes() {
        let found = lines(&format!("{HEAD}spec:\n  typ: x\n  ports:\n  - name: a\n  - port: 80\n    nam: b\n"));
        let found: Vec<_> = found.iter().map(|(line, message)| (*line, message.as_str())).collect();
        assert_eq!(found, [(6, "unknown field `typ`"), (8, "missing field `port`"), (10, "unknown field `nam`")]);
    }

    #[test]
    fn types_are_named_as_people_name_them() {
        let text = |spec: &str| format!("{HEAD}spec: {{{spec}}}\n");
        for (spec, message) in [
            ("ports: [{port: yes}]", "a port from 1 to 65535 was expected, and this is boolean `true`"),
            ("ports: 3", "a list was expected here"),
            ("selector: 3", "fields were expected here, as in `key: value`"),
            ("publishNotReadyAddresses: maybe", "`maybe` is not true or false"),
        ] {
            assert_eq!(lines(&text(spec)), [(5, message.to_owned())]);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd_to_be_refused(text in "[a-z:\\-\\[\\]{} \n&*#'\"|>0-9.]{0,200}") {
            let _ = parse::<Service>(&text);
            let _ = super::super::place::of(&text, "spec.ports[].port");
        }

        #[test]
        fn an_object_with_odd_fields_is_read_to_its_end(
            fields in proptest::collection::vec("( {0,6})(- )?(ports|port|typ|name|selector)?(: )?(80|x|\\[\\]|\\{port: 3\\})?", 0..12),
        ) {
            let _ = parse::<Service>(&format!("{HEAD}spec:\n{}\n", fields.join("\n")));
        }
    }
}
