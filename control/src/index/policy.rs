//! Who may call a pod's app when nothing more is said.

use std::str::FromStr;

/// Who may call a pod's app when nothing more is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DefaultPolicy {
    /// Everybody, in plaintext too.
    #[default]
    AllowAll,
    /// Whoever proves an identity of the mesh: mutual TLS is needed.
    AllowAuthenticated,
    /// Nobody.
    Deny,
}

impl DefaultPolicy {
    const ALL: [Self; 3] = [Self::AllowAll, Self::AllowAuthenticated, Self::Deny];

    /// The word in annotations, flags and resources.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::AllowAll => "allow-all",
            Self::AllowAuthenticated => "allow-authenticated",
            Self::Deny => "deny",
        }
    }
}

impl FromStr for DefaultPolicy {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|policy| policy.word() == word);
        found.ok_or_else(|| format!("`{word}` is not a policy: expected {}", Self::ALL.map(Self::word).join(", ")))
    }
}
