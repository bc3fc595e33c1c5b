//! Sidecars with nothing to do.

use std::{thread, time::Duration};

use serde::{Deserialize, Serialize};

use super::super::{
    contestants::Contestant,
    pair::{Both, Pair},
    traffic::Traffic,
};
use crate::usage::{Machine, Memory, sleeps};

/// How long nothing happens.
const QUIET: Duration = Duration::from_secs(10);

/// What idleness costs a pair.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Idle {
    pub(crate) contestant: Contestant,
    /// Memory, after one request was answered.
    pub(crate) memory: Both<Memory>,
    /// CPU milliseconds a second.
    pub(crate) cpu_ms_per_second: Both<f64>,
    /// How often all its threads together went to sleep, and so were woken before, in 10 s.
    pub(crate) sleeps: Both<u64>,
}

/// Measures the pairs for HTTP/1.1 among `started`, all at once; the others are as quiet. Tells besides what share of the machine was
/// in use meanwhile, from 0 to 1: what is in use then is in use by others.
///
/// # Errors
/// A process has ended.
pub(super) fn measure(started: &[Pair]) -> anyhow::Result<(Vec<Idle>, f64)> {
    eprintln!("{} s of quiet", QUIET.as_secs());
    // What starting left to be done.
    thread::sleep(Duration::from_secs(1));
    let is_measured = |pair: &&Pair| pair.traffic == Traffic::Http1 && pair.contestant != Contestant::Direct;
    let pairs: Vec<&Pair> = started.iter().filter(is_measured).collect();
    let read = |pair: &&Pair| anyhow::Ok((pair.cpu()?, pair.of_both(|process| Ok(sleeps(process)?))?));
    let machine = Machine::now()?;
    let before = pairs.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    thread::sleep(QUIET);
    let busy = Machine::now()?.busy_since(&machine);
    let mut idle = Vec::new();
    for (pair, (cpu, slept)) in pairs.iter().zip(before) {
        let (cpu_now, slept_now) = read(pair)?;
        let ms = |spent: Duration| spent.as_secs_f64() * 1000.0 / QUIET.as_secs_f64();
        idle.push(Idle {
            contestant: pair.contestant,
            memory: pair.memory()?,
            cpu_ms_per_second: Both {
                outbound: ms(cpu_now.outbound.since(&cpu.outbound)),
                inbound: ms(cpu_now.inbound.since(&cpu.inbound)),
            },
            sleeps: Both {
                outbound: slept_now.outbound.saturating_sub(slept.outbound),
                inbound: slept_now.inbound.saturating_sub(slept.inbound),
            },
        });
    }
    Ok((idle, busy))
}
