//! What becomes of a status. Source: `RouteParentStatus`, `PolicyAncestorStatus` and `Condition` of the Gateway API: entries are told
//! apart by who wrote them, and nobody touches those of another.

use serde_json::{Value, json};

use super::told::{Entry, Told};
use crate::plan::routes::Condition;

/// As whom we write.
const CONTROLLER: &str = "weft.dev/control";

/// Letters of a message. Source: the limit of `Condition.message`, in bytes, of which a letter has at most four.
const MESSAGE_MAX: usize = 32_768 / 4;

/// What is to be written at the time `now`, where `before` is there; nothing when it is as it must be.
pub(super) fn status(before: &Value, told: &Told, now: &str) -> Option<Value> {
    let (place, generation) = (told.place, told.edition.generation);
    let before = before[place.list].as_array().map_or(&[][..], Vec::as_slice);
    let (ours, others): (Vec<&Value>, Vec<&Value>) = before.iter().partition(|entry| entry["controllerName"] == CONTROLLER);
    let entry = |told: &Entry| {
        let known = ours.iter().find(|known| known[place.about] == told.about);
        let known = known.and_then(|known| known["conditions"].as_array()).map_or(&[][..], Vec::as_slice);
        let condition = |found: &Condition| condition(found, known, generation, now);
        json!({
            place.about: told.about,
            "controllerName": CONTROLLER,
            "conditions": told.conditions.iter().map(condition).collect::<Vec<_>>(),
        })
    };
    // There is no room for more.
    let new: Vec<Value> = told.entries.iter().take(place.max.saturating_sub(others.len())).map(entry).collect();
    let is_there = ours.iter().copied().eq(&new);
    (!is_there).then(|| json!({ place.list: others.into_iter().cloned().chain(new).collect::<Vec<_>>() }))
}

/// One of them, where `known` are there. When it began to be so stays as long as it is so.
fn condition(found: &Condition, known: &[Value], generation: i64, now: &str) -> Value {
    let since = known.iter().find(|known| known["type"] == found.kind && known["status"] == found.status());
    let since = since.and_then(|known| known["lastTransitionTime"].as_str()).unwrap_or(now);
    json!({
        "type": found.kind,
        "status": found.status(),
        "reason": found.reason,
        "message": found.message.chars().take(MESSAGE_MAX).collect::<String>(),
        "observedGeneration": generation,
        "lastTransitionTime": since,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Edition;

    const PLACE: super::super::told::Place = super::super::told::Place { list: "parents", about: "parentRef", max: 3 };

    fn told(generation: i64, entries: &[(&str, bool)]) -> Told {
        let entry = |(name, holds): &(&str, bool)| Entry {
            about: json!({ "name": name }),
            conditions: vec![Condition { kind: "Accepted", holds: *holds, reason: "Why", message: "ä".repeat(MESSAGE_MAX + 1) }],
        };
        let edition = Edition { version: "v1".into(), uid: "u".into(), generation };
        Told { edition, place: &PLACE, entries: entries.iter().map(entry).collect() }
    }

    fn entry(name: &str, status: &str, generation: i64, since: &str) -> Value {
        let condition = json!({ "type": "Accepted", "status": status, "reason": "Why", "message": "ä".repeat(MESSAGE_MAX),
            "observedGeneration": generation, "lastTransitionTime": since });
        json!({ "parentRef": { "name": name }, "controllerName": CONTROLLER, "conditions": [condition] })
    }

    fn other(name: &str) -> Value {
        json!({ "parentRef": { "name": name }, "controllerName": "example.com/gateway", "conditions": [] })
    }

    #[test]
    fn what_is_there_is_not_written_again() {
        let first = status(&Value::Null, &told(1, &[("a", true)]), "now").unwrap();
        assert_eq!(first, json!({ "parents": [entry("a", "True", 1, "now")] }));
        assert_eq!(status(&first, &told(1, &[("a", true)]), "later"), None);
        let others = json!({ "parents": [entry("a", "True", 1, "now"), other("a")] });
        assert_eq!(status(&others, &told(1, &[("a", true)]), "later"), None, "whatever stands around it");
        assert_eq!(status(&Value::Null, &told(1, &[]), "now"), None);
    }

    #[test]
    fn when_it_began_stays_until_it_is_otherwise() {
        let before = json!({ "parents": [entry("a", "True", 1, "before")] });
        let edited = status(&before, &told(2, &[("a", true)]), "now").unwrap();
        assert_eq!(edited["parents"], json!([entry("a", "True", 2, "before")]));
        let turned = status(&before, &told(2, &[("a", false)]), "now").unwrap();
        assert_eq!(turned["parents"], json!([entry("a", "False", 2, "now")]));
    }

    #[test]
    fn those_of_others_stay_and_ours_go_with_their_parents() {
        let before = json!({ "parents": [entry("a", "True", 1, "before"), other("a"), entry("b", "True", 1, "before")] });
        let after = status(&before, &told(1, &[("b", true)]), "now").unwrap();
        assert_eq!(after["parents"], json!([other("a"), entry("b", "True", 1, "before")]));
        let none = status(&before, &told(1, &[]), "now").unwrap();
        assert_eq!(none["parents"], json!([other("a")]));
        assert_eq!(status(&none, &told(1, &[]), "now"), None);
    }

    #[test]
    fn there_are_not_more_than_there_may_be() {
        let before = json!({ "parents": [other("a"), other("b")] });
        let after = status(&before, &told(1, &[("a", true), ("b", true)]), "now").unwrap();
        assert_eq!(after["parents"], json!([other("a"), other("b"), entry("a", "True", 1, "now")]));
        assert_eq!(status(&after, &told(1, &[("a", true), ("b", true)]), "now"), None);
    }
}
