//! Whether a text is one of some, and a path one of a template.

use crate::snapshot::{PathText, Piece, Text};

/// How letters are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Kept,
    Ignored,
}

impl Case {
    fn is_same(self, one: &[u8], other: &[u8]) -> bool {
        match self {
            Self::Kept => one == other,
            Self::Ignored => one.eq_ignore_ascii_case(other),
        }
    }

    /// What of `text` comes after `beginning`.
    fn after<'a>(self, beginning: &str, text: &'a [u8]) -> Option<&'a [u8]> {
        let (head, rest) = text.split_at_checked(beginning.len())?;
        self.is_same(head, beginning.as_bytes()).then_some(rest)
    }
}

/// Whether `wanted` are texts of which `text` is one.
pub(super) fn is_of(wanted: &Text, text: &[u8], case: Case) -> bool {
    match wanted {
        Text::Exact(exact) => case.is_same(exact.as_bytes(), text),
        Text::Prefix(prefix) => case.after(prefix, text).is_some(),
        Text::Suffix(suffix) => {
            text.len().checked_sub(suffix.len()).is_some_and(|from| case.is_same(&text[from..], suffix.as_bytes()))
        }
        Text::Contains(part) => part.is_empty() || text.windows(part.len()).any(|window| case.is_same(window, part.as_bytes())),
    }
}

/// Whether `wanted` are paths of which `path` is one.
pub(super) fn is_path_of(wanted: &PathText, path: &[u8], case: Case) -> bool {
    match wanted {
        PathText::Text(text) => is_of(text, path, case),
        PathText::Template(pieces) => follows(pieces, path, case),
    }
}

fn follows(pieces: &[Piece], path: &[u8], case: Case) -> bool {
    let Some((piece, pieces)) = pieces.split_first() else { return path.is_empty() };
    match piece {
        Piece::Exact(exact) => case.after(exact, path).is_some_and(|rest| follows(pieces, rest, case)),
        Piece::Segment => {
            let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
            end > 0 && follows(pieces, &path[end..], case)
        }
        // There is one of these at most: its end is tried at each byte once.
        Piece::Rest => pieces.is_empty() || (0..=path.len()).any(|from| follows(pieces, &path[from..], case)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_by_their_parts() {
        let is = |wanted: Text, text: &str| is_of(&wanted, text.as_bytes(), Case::Kept);
        assert!(is(Text::Exact("/a".into()), "/a") && !is(Text::Exact("/a".into()), "/A"));
        assert!(is(Text::Prefix("/a".into()), "/ab") && !is(Text::Prefix("/ab".into()), "/a"));
        assert!(is(Text::Suffix("b/".into()), "/ab/") && !is(Text::Suffix("/abc".into()), "bc"));
        assert!(is(Text::Contains("/ns/shop/".into()), "td/ns/shop/sa/a") && !is(Text::Contains("x".into()), ""));
        assert!(is_of(&Text::Suffix("/Admin".into()), b"/x/aDMIN", Case::Ignored));
    }

    #[test]
    fn templates_have_segments_and_a_rest() {
        let exact = |text: &str| Piece::Exact(text.into());
        let cart = [exact("/cart/"), Piece::Segment, exact("/items")];
        let of = |pieces: &[Piece], path: &str| follows(pieces, path.as_bytes(), Case::Kept);
        assert!(
            of(&cart, "/cart/7/items") && !of(&cart, "/cart//items") && !of(&cart, "/cart/7/8/items") && !of(&cart, "/cart/7")
        );
        let below = [exact("/a/"), Piece::Rest];
        assert!(of(&below, "/a/") && of(&below, "/a/b/c") && !of(&below, "/a"));
        let between = [exact("/a/"), Piece::Rest, exact("/z")];
        assert!(of(&between, "/a/b/c/z") && !of(&between, "/a/b/c"));
    }
}
