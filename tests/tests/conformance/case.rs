//! A call, and what it must come to.

use std::collections::BTreeSet;

use serde_json::json;
use tests::{App, Mesh};

/// One line of a table.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it shows: features, by the Gateway API's names for them.
    features: &'static str,
    what: &'static str,
    /// The pod that calls.
    pub from: &'static str,
    /// Whom, and how, in the words of who calls it: here curl's arguments.
    pub call: &'static str,
    /// Words that must be among those that are told.
    told: &'static str,
}

/// A call of the pod `client-0`.
pub const fn case(features: &'static str, what: &'static str, call: &'static str, told: &'static str) -> Case {
    Case { features, what, from: "client-0", call, told }
}

impl Case {
    /// Of another pod.
    pub const fn from(self, from: &'static str) -> Self {
        Self { from, ..self }
    }

    /// The features, one by one.
    pub fn features(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.features.split_whitespace()
    }

    /// What is wrong with what was told.
    pub fn wrong(&self, told: &str) -> Option<String> {
        let words: BTreeSet<&str> = told.split_whitespace().collect();
        let missing: Vec<&str> = self.told.split_whitespace().filter(|word| !words.contains(word)).collect();
        let Self { features, what, from, call, .. } = self;
        (!missing.is_empty()).then(|| format!("{features}, {what}: {from} {call}: {told:?} lacks {missing:?}"))
    }
}

/// A pod of `namespace` to call from.
pub fn client(name: &str, namespace: &str) -> App {
    App::new(name, 9, &["sleep", "infinity"]).workload("ports", json!([])).of(namespace)
}

/// What curl tells beside an answer: the status, where it leads, and fields of its head.
const SHOWN: &str = "\n%{http_code} %{redirect_url} set=%header{x-set} more=%header{x-more} unwanted=%header{x-unwanted} \
                     origin=%header{access-control-allow-origin} methods=%header{access-control-allow-methods} \
                     why=%header{weft-reason}\n";

/// What curl is told. Of its arguments those that `named` names stand for others.
pub fn told(mesh: &Mesh, from: &str, call: &str, named: &[(&str, String)]) -> String {
    let named = |word: &str| named.iter().fold(word.to_owned(), |word, (name, meant)| word.replace(name, meant));
    let words: Vec<String> = call.split_whitespace().map(named).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    mesh.succeed_inside(from, &[&["curl", "-sS", "-g", "-m", "20", "-w", SHOWN][..], &words].concat())
}

/// Makes every call.
///
/// # Panics
/// With all that is wrong, if anything is.
pub fn try_all(mesh: &Mesh, cases: &[Case], named: &[(&str, String)]) {
    let wrong: Vec<String> = cases.iter().filter_map(|case| case.wrong(&told(mesh, case.from, case.call, named))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
