//! A snapshot made at once, of answers that need not be waited for.

use std::sync::Arc;

use wire::names;

use super::{
    resources::{Kind, Resources},
    translate::Translator,
};
use crate::snapshot::{Inbound, Snapshot};

/// What is known once all is told that belongs to the listener called `listener`. `told` answers for a type of xDS and a name; `None`
/// when there is no such thing.
///
/// # Errors
/// What cannot be read of an answer.
pub fn snapshot(listener: &str, told: impl Fn(&str, &str) -> Option<Vec<u8>>) -> Result<Snapshot, String> {
    let mut resources = Resources::default();
    take(&mut resources, Kind::Listener, listener, &told)?;
    for kind in [Kind::Route, Kind::Cluster, Kind::Endpoints] {
        for name in resources.pointed_at(kind) {
            take(&mut resources, kind, &name, &told)?;
        }
    }
    Ok(Translator::default().snapshot(&resources, &Snapshot::default()))
}

/// What is known of a proxy's own ports. `told` answers as for [`snapshot`].
///
/// # Errors
/// What cannot be read of the answer.
pub fn own_ports(told: impl Fn(&str, &str) -> Option<Vec<u8>>) -> Result<Arc<Inbound>, String> {
    Ok(snapshot(names::INBOUND, told)?.inbound.unwrap_or_default())
}

fn take(resources: &mut Resources, kind: Kind, name: &str, told: &impl Fn(&str, &str) -> Option<Vec<u8>>) -> Result<(), String> {
    match told(kind.type_url(), name) {
        Some(body) => resources.insert(kind, name, "", &body),
        None => {
            resources.absent(kind, name);
            Ok(())
        }
    }
}
