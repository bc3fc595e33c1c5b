//! Sidecars for pods as they are created: a mutating admission webhook.
//!
//! ```text
//! door ─▶ review ─▶ inject (a crate of its own)
//! HTTPS   AdmissionReview in and out, pure
//! ```
//!
//! In: what the API server asks. Out: a patch, a refusal, or nothing to do; and what is to be done beside it, by `cluster`.

mod door;
mod review;

pub(crate) use door::serve;
pub(crate) use review::{Answer, Asked, Beside, review};
