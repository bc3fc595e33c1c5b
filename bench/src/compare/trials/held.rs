//! Connections that stay open and say nothing.

use std::{thread, time::Duration};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use super::{
    super::{
        contestants::Contestant,
        load::{self, HELD, Order, Tls, Work},
        network::APP,
        pair::{Both, Pair, Pairs},
        process::Process,
    },
    SETTLE, fresh,
};

/// How many.
const CONNECTIONS: u32 = 1000;

/// For all of them to be opened.
const OPENING: Duration = Duration::from_secs(30);

/// KiB of memory for each connection that one request was answered on and that is idle.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) contestant: Contestant,
    /// For each of a client's.
    pub(crate) client: Both<f64>,
    /// For each of other sidecars', with mutual TLS, in the inbound one. None without TLS.
    pub(crate) mesh: Option<f64>,
}

/// Measures on pairs that have not been loaded.
///
/// # Errors
/// The connections cannot be opened.
pub(super) fn measure(contestant: Contestant, pairs: &mut Pairs<'_>) -> anyhow::Result<Held> {
    eprintln!("{contestant} holds {CONNECTIONS} connections");
    let client = hold(&fresh(contestant, pairs)?, None, pairs)?;
    let mesh = if contestant.has_tls() {
        let pair = fresh(contestant, pairs)?;
        let tls = pair.tls(pairs.place);
        Some(hold(&pair, Some(tls), pairs)?.inbound)
    } else {
        None
    };
    Ok(Held { contestant, client, mesh })
}

/// Through both sidecars, or with TLS right to the inbound one.
fn hold(pair: &Pair, tls: Option<Tls>, pairs: &Pairs<'_>) -> anyhow::Result<Both<f64>> {
    let before = pair.memory()?;
    let (target, pod) = match &tls {
        Some(_) => (pair.inbound_sidecar(), None),
        None => (pair.service(APP), Some(pair.pods()[0])),
    };
    let order = Order { target, time: Duration::ZERO, work: Work::Hold { connections: CONNECTIONS, tls } };
    let mut holding = Process::start("hold", load::ours(&order, pairs.place)?, pod, &pairs.place.scratch)?;
    let held = holding.await_words(HELD, OPENING)?;
    ensure!(held, "{} does not take {CONNECTIONS} connections within {} s", pair.contestant, OPENING.as_secs());
    thread::sleep(SETTLE);
    let after = pair.memory().context("holding connections")?;
    let each = |after: u64, before: u64| {
        let grown = u32::try_from(after.saturating_sub(before)).unwrap_or(u32::MAX);
        f64::from(grown) / f64::from(CONNECTIONS)
    };
    Ok(Both {
        outbound: each(after.outbound.resident, before.outbound.resident),
        inbound: each(after.inbound.resident, before.inbound.resident),
    })
}
