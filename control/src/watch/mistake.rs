//! Something in an object that means nothing.

/// Something that means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) field: String,
    pub(super) what: String,
}
