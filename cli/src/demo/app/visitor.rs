//! The shop's visitors: a steady stream of requests, each counted by how it ended.

use std::{
    cell::RefCell,
    io::{self, Write},
    rc::Rc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::Caller;

/// Visitors at a time.
const VISITORS: u32 = 8;

/// Requests of all of them in a second: enough to see, little enough for any laptop.
const RATE: u32 = 200;

/// An answer comes within this time or counts as failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often they tell how it went.
const REPORT: Duration = Duration::from_millis(50);

/// Reasons that are told; more are seldom different.
const REASONS_MAX: usize = 5;

/// How it went so far. One line of JSON on standard output, now and then.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    /// Why, of the first ones.
    pub(crate) reasons: Vec<String>,
}

/// Visits the shop until ended.
pub(super) async fn run() -> anyhow::Result<()> {
    let tally = Rc::new(RefCell::new(Tally::default()));
    open_the_door().await;
    for number in 0..VISITORS {
        tokio::task::spawn_local(visit(number, tally.clone()));
    }
    let mut told = Tally::default();
    loop {
        sleep(REPORT).await;
        let now = tally.borrow().clone();
        if now != told {
            writeln!(io::stdout(), "{}", serde_json::to_string(&now)?)?;
            told = now;
        }
    }
}

/// Waits until the shop is open. Whoever comes earlier is no visitor.
async fn open_the_door() {
    let web = Caller::new("web");
    while !matches!(timeout(PATIENCE, web.get("/")).await, Ok(Ok(_))) {
        sleep(Duration::from_millis(20)).await;
    }
}

async fn visit(number: u32, tally: Rc<RefCell<Tally>>) {
    let web = Caller::new("web");
    let period = Duration::from_secs(1) * VISITORS / RATE;
    // One after the other, not all at once.
    sleep(period * number / VISITORS).await;
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let since = Instant::now();
        let ended = timeout(PATIENCE, web.get("/")).await;
        let failure = match ended {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_) => Some(format!("no answer within {} s", since.elapsed().as_secs())),
        };
        let mut tally = tally.borrow_mut();
        tally.requests += 1;
        if let Some(reason) = failure {
            tally.failed += 1;
            if tally.reasons.len() < REASONS_MAX {
                tally.reasons.push(reason);
            }
        }
    }
}
