//! What was found.

use std::fmt;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, as a statement that should be true.
    pub what: String,
    /// Whether it is.
    pub verdict: Verdict,
}

/// Whether a statement is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Well,
    /// It is not, and that may be left so.
    Notable {
        /// What is so instead.
        why: String,
        /// What can be done about it.
        remedy: String,
    },
    /// It is not, and the mesh does not work as it should.
    Wrong {
        /// What is so instead.
        why: String,
        /// What is to be done about it.
        remedy: String,
    },
}

impl Finding {
    pub(super) fn well(what: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Well }
    }

    pub(super) fn wrong(what: impl Into<String>, why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Wrong { why: why.into(), remedy: remedy.into() } }
    }

    pub(super) fn notable(what: impl Into<String>, why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Notable { why: why.into(), remedy: remedy.into() } }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = &self.what;
        match &self.verdict {
            Verdict::Well => write!(f, "  ok    {what}"),
            Verdict::Notable { why, remedy } => write!(f, "  note  {what}: {why}\n          {remedy}"),
            Verdict::Wrong { why, remedy } => write!(f, "  WRONG {what}: {why}\n          {remedy}"),
        }
    }
}
