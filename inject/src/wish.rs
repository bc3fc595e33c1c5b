//! Whether a sidecar is asked for.

use serde_json::Value;

use crate::INJECT_LABEL;

/// What a label asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A sidecar.
    Enabled,
    /// None.
    Disabled,
    /// Nothing is said.
    Unsaid,
}

/// What the labels of an object ask for.
///
/// # Errors
/// The label has a value that means nothing.
pub fn wish(object: &Value) -> Result<Wish, String> {
    match object["metadata"]["labels"][INJECT_LABEL].as_str() {
        None => Ok(Wish::Unsaid),
        Some("enabled") => Ok(Wish::Enabled),
        Some("disabled") => Ok(Wish::Disabled),
        Some(other) => Err(format!("label {INJECT_LABEL}: `{other}` is neither `enabled` nor `disabled`")),
    }
}
