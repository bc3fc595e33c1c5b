//! Where a field stands in a document.

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Location, Spanned};

/// Line and column (from 1) of the field at `path` in `text`, or of the nearest thing around it that is there. `None` when
/// there is nothing, or `text` is no YAML.
pub(super) fn of(text: &str, path: &str) -> Option<(usize, usize)> {
    let tree: Spanned<Node> = serde_saphyr::from_str(text).ok()?;
    let mut found = None;
    tree.value.descend(&steps(path), &mut found);
    let location = found?;
    let number = |value: u64| usize::try_from(value).unwrap_or(0);
    Some((number(location.line()), number(location.column())))
}

/// A document in which everything knows its place.
enum Node {
    Map(Vec<(Spanned<String>, Node)>),
    List(Vec<Spanned<Node>>),
    Scalar,
}

/// One step of a path.
enum Step<'a> {
    Key(&'a str),
    /// An item of a list, or any of them.
    Item(Option<usize>),
}

/// `spec.ports[0].port`, `spec.ports[].name`.
fn steps(path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let mut pieces = part.split('[');
        steps.extend(pieces.next().filter(|key| !key.is_empty()).map(Step::Key));
        steps.extend(pieces.map(|item| Step::Item(item.trim_end_matches(']').parse().ok())));
    }
    steps
}

impl Node {
    /// Follows `steps`, noting the last place that is there. Returns whether all of them are.
    fn descend(&self, steps: &[Step<'_>], found: &mut Option<Location>) -> bool {
        let Some((step, rest)) = steps.split_first() else { return true };
        match (self, step) {
            (Self::Map(entries), Step::Key(wanted)) => match entries.iter().find(|(key, _)| key.value == *wanted) {
                Some((key, value)) => {
                    *found = Some(key.referenced);
                    value.descend(rest, found)
                }
                None => false,
            },
            (Self::List(items), Step::Item(Some(number))) => match items.get(*number) {
                Some(item) => {
                    *found = Some(item.referenced);
                    item.value.descend(rest, found)
                }
                None => false,
            },
            (Self::List(items), Step::Item(None)) => items.iter().any(|item| {
                let mut inside = Some(item.referenced);
                let whole = item.value.descend(rest, &mut inside);
                if whole {
                    *found = inside;
                }
                whole
            }),
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("YAML")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key()? {
            entries.push((key, map.next_value()?));
        }
        Ok(Node::Map(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Node, D::Error> {
        Node::deserialize(inner)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Node, D::Error> {
        IgnoredAny::deserialize(inner).map(|_| Node::Scalar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "kind: Service\nspec:\n  ports:\n  - {name: a, port: 80}\n  - name: b\n    port: 81\n  selector: {}\n";

    #[test]
    fn fields_are_found_in_both_styles() {
        for (path, place) in [
            ("kind", (1, 1)),
            ("spec.ports", (3, 3)),
            ("spec.ports[0].port", (4, 15)),
            ("spec.ports[1].port", (6, 5)),
            ("spec.ports[].name", (4, 6)),
        ] {
            assert_eq!(of(TEXT, path), Some(place), "{path}");
        }
    }

    #[test]
    fn what_is_missing_is_looked_for_where_it_should_be() {
        assert_eq!(of(TEXT, "spec.selector.app"), Some((7, 3)));
        assert_eq!(of(TEXT, "spec.ports[7].port"), Some((3, 3)));
        assert_eq!(of(TEXT, "status"), None);
        assert_eq!(of("[", "kind"), None);
    }
}
