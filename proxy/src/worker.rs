//! One thread that carries traffic: its doors, its world, and how it leaves.

use std::{rc::Rc, sync::Arc, time::Duration};

use anyhow::Context as _;
use certs::store::IdentityStore;
use hashbrown::HashSet;
use tokio::{
    runtime::{Builder, LocalOptions},
    sync::Semaphore,
};

use crate::{
    accept::{self, Door},
    balance, budget, clock,
    config::Settings,
    connect, corridor,
    dice::Dice,
    drain::Drain,
    events::{AccessLog, Direction, Party, Recorder, Registry},
    redirected::Redirected,
    side::{INBOUND, OUTBOUND},
    snapshot::{Answer, Reader, Snapshot},
    world::World,
};

/// What every worker is given.
#[derive(Clone)]
pub struct Given {
    /// Settings.
    pub settings: Arc<Settings>,
    /// The current snapshot.
    pub snapshots: Reader,
    /// The current identity.
    pub identity: Arc<IdentityStore>,
    /// Where counters are found by a scrape.
    pub registry: Registry,
    /// Connections all workers have dialled.
    pub dials: connect::Dials,
    /// What all workers share of balancing.
    pub balance: balance::Shared,
    /// How many requests all workers may send once more.
    pub budgets: budget::Shared,
    /// Whether the redirect rules are there.
    pub redirected: Redirected,
    /// Whether we are leaving.
    pub drain: Drain,
}

/// Carries traffic on this thread until told to leave, and then until the last connection has ended or
/// [`Settings::drain_timeout`] is over. `doors` is called on this thread, within its runtime.
///
/// # Errors
/// A door that cannot be opened.
pub fn run(given: Given, doors: impl FnOnce() -> anyhow::Result<Vec<Door>>) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    runtime.context("cannot start a worker's runtime")?.block_on(async move {
        let doors = doors()?;
        let world = Rc::new(world(given));
        for door in doors {
            let side = match door.direction {
                Direction::Inbound => INBOUND,
                Direction::Outbound => OUTBOUND,
            };
            let walked = world.clone();
            tokio::task::spawn_local(accept::serve(door, world.clone(), move |conn| corridor::walk(conn, side, walked.clone())));
        }
        tokio::task::spawn_local(follow(world.clone()));
        tokio::task::spawn_local(ebb(world.clone()));
        leave(&world).await;
        Ok(())
    })
}

fn world(given: Given) -> World {
    let Given { settings, snapshots, identity, registry, dials, balance, budgets, redirected, drain } = given;
    let log = AccessLog { enabled: settings.access_log };
    World {
        me: Party {
            workload: settings.me.workload.as_str().into(),
            namespace: settings.me.namespace.as_str().into(),
            ..Party::default()
        },
        recorder: Recorder::new(&registry, log),
        balance: balance::State::new(seed(), balance),
        budgets: budget::Budgets::new(budgets),
        copies: Arc::new(Semaphore::new(corridor::COPIES_MAX)),
        held: Semaphore::new(corridor::HELD_MAX),
        dice: Dice::new(seed()),
        lines: connect::Lines::default(),
        memory: Default::default(),
        occupancy: Default::default(),
        tide: Default::default(),
        settings,
        snapshots,
        identity,
        dials,
        redirected,
        drain,
    }
}

/// Different in every worker, so that they do not all choose alike.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(clock::unix_seconds(clock::wall()).to_bits())
}

/// Brings what this worker holds in line with every new snapshot, also when there is no traffic to notice it.
async fn follow(world: Rc<World>) {
    let mut snapshots = world.snapshots.clone();
    loop {
        snapshots.changed().await;
        let snapshot = snapshots.current().clone();
        for endpoint in world.balance.retire(clusters(&snapshot), clock::now()) {
            world.lines.retire(endpoint);
        }
        let names: HashSet<&str> = clusters(&snapshot).map(|cluster| &*cluster.name).collect();
        world.budgets.retain(|name| names.contains(name));
    }
}

/// Gives memory back after every wave of work.
async fn ebb(world: Rc<World>) {
    world.tide.ebb().await;
}

fn clusters(snapshot: &Snapshot) -> impl Iterator<Item = &Arc<crate::snapshot::Cluster>> {
    snapshot.addresses.values().flat_map(|answer| {
        let destination = match answer {
            Answer::Known(destination) => Some(destination),
            Answer::Unknown => None,
        };
        destination.into_iter().flat_map(|destination| destination.clusters())
    })
}

/// Waits to be told to leave, then for everybody inside. Newcomers are still served meanwhile: somebody may not have
/// heard yet that we are going.
async fn leave(world: &World) {
    world.drain.clone().begins().await;
    let patience = world.settings.drain_timeout;
    if tokio::time::timeout(patience, world.occupancy.emptied()).await.is_err() {
        tracing::warn!(connections = world.occupancy.count(), "leaving with connections open after {patience:?}");
    }
    // Let last answers reach the kernel.
    tokio::time::sleep(Duration::from_millis(10)).await;
}
