//! The cases, by what is odd about them.

mod chunks;
mod codings;
mod connections;
mod fields;
mod hosts;
mod lengths;
mod limits;
mod ordinary;
mod request_lines;
mod targets;

use crate::case::Case;

/// All of them.
pub fn all() -> Vec<Case> {
    [
        ordinary::cases(),
        request_lines::cases(),
        targets::cases(),
        fields::cases(),
        hosts::cases(),
        lengths::cases(),
        codings::cases(),
        chunks::cases(),
        connections::cases(),
        limits::cases(),
    ]
    .concat()
}

/// Cases that must be refused.
fn refused<'a>(about: &str, all: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Vec<Case> {
    all.into_iter().map(|(name, bytes)| Case::refuse(&format!("{about}: {name}"), bytes)).collect()
}
