//! What a change is about, so that only those who look at it are told.

use std::{collections::BTreeSet, net::IpAddr};

use super::Key;

/// Something that resources are made of. Every resource's name leads to exactly one, without looking anything up; a change
/// of an object touches those it is seen through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    /// A service: its ports, and the endpoints behind it.
    Service(Key),
    /// An address, and whoever has it.
    Address(IpAddr),
    /// A pod.
    Pod(Key),
}

/// What one or more changes were about.
pub(crate) type Touched = BTreeSet<Subject>;
