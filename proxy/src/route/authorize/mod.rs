//! What policies say of somebody who asks.
//!
//! ```text
//! question   whether single conditions hold of him and of what he asks
//! reading    how his path may be read
//! truth      whether conditions hold, where that cannot always be known
//! text       texts, and templates of paths
//! ```
//!
//! What cannot be known counts against him: a rule that lets in has to hold for certain, and one that keeps out has to fail for
//! certain. So who has proved no identity is not told apart from whoever is denied, and a connection whose requests nobody reads
//! from one that carries what is denied.

mod question;
mod reading;
mod text;
mod truth;

use std::sync::Arc;

use question::Question;
use truth::Truth;

use super::{Asked, Caller};
use crate::snapshot::{Authorization, Rule};

/// What is said of somebody.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// A policy lets him in, or none is about who may.
    Let {
        /// Whether a policy said so.
        by_policy: bool,
        /// Rules that wanted to hear of it.
        audited: Vec<Arc<str>>,
    },
    /// This rule keeps him out, or none lets him in.
    Kept(Option<Arc<str>>),
}

/// What `authorization` says of `caller` who asks for `asked` at `port`; of a whole connection where nothing is asked.
pub(super) fn decide(authorization: &Authorization, caller: &Caller, port: u16, asked: Option<Asked<'_>>) -> Ruling {
    let question = Question::new(caller, port, asked);
    let first =
        |rules: &[Rule], enough: Truth| rules.iter().find(|rule| question.truth(rule) >= enough).map(|rule| rule.name.clone());
    if let Some(name) = first(&authorization.deny, Truth::Unknown) {
        return Ruling::Kept(Some(name));
    }
    if authorization.allow.as_ref().is_some_and(|rules| first(rules, Truth::Yes).is_none()) {
        return Ruling::Kept(None);
    }
    let audited = authorization.audit.iter().filter(|rule| question.truth(rule) == Truth::Yes).map(|rule| rule.name.clone());
    Ruling::Let { by_policy: authorization.allow.is_some(), audited: audited.collect() }
}

#[cfg(test)]
mod bypasses;
#[cfg(test)]
mod tests;
