//! Loads: what asks, in the client's pod, and what came of it.
//!
//! | file | what |
//! |---|---|
//! | `wrk`, `h2load` | HTTP in a closed loop, by programs that everybody knows |
//! | `order` | what our own (`__load`) is asked to do: |
//! | `lanes`, `pace`, `reply` | exchanges on opaque connections and HTTP/1.1, in a closed loop or at a fixed rate |
//! | `streams` | gRPC streams |
//! | `handshakes`, `hold`, `tls` | mesh handshakes; connections that stay open |
//! | `tally` | what came of it |

mod h2load;
mod handshakes;
mod hold;
mod lanes;
mod order;
mod pace;
mod reply;
mod streams;
mod tally;
mod tls;
mod wrk;

use std::{fs, net::SocketAddr, process::Command, time::Duration};

use anyhow::Context as _;

use super::{
    grpc::{ASKED, CONTENT_TYPE, UNARY, message},
    network::Pod,
    place::Place,
    process::Process,
};

pub(crate) use hold::HELD;
pub(crate) use order::{Exchange, Keep, Lanes, Order, Pace, Tls, Until, Work};
pub(crate) use tally::{Latency, Tally};

/// Beyond its own time, for a load to start and to end.
const GRACE: Duration = Duration::from_secs(15);

/// Who asks, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Load {
    /// wrk: HTTP/1.1, a closed loop on each connection.
    Wrk { connections: u32, path: &'static str },
    /// h2load: HTTP/2, a closed loop on each stream.
    H2load { connections: u32, streams: u32, path: &'static str },
    /// h2load: unary gRPC, a closed loop on each stream.
    Grpc { connections: u32, streams: u32 },
    /// Ours.
    Ours(Work),
}

impl Load {
    /// The programs it takes.
    pub(crate) fn needs(&self) -> &'static [&'static str] {
        match self {
            Self::Wrk { .. } => &["wrk"],
            Self::H2load { .. } | Self::Grpc { .. } => &["h2load"],
            Self::Ours(_) => &[],
        }
    }

    /// A short load that leaves the same connections open between the sidecars as this one needs.
    pub(crate) fn warm_up(&self) -> Self {
        match self {
            // wrk cannot run for less than a second.
            Self::Wrk { connections, path } => {
                let exchange = Exchange::Http((*path).to_owned());
                Self::Ours(Work::Lanes(Lanes::closed(*connections, exchange).warm_up()))
            }
            Self::Ours(Work::Lanes(own)) => Self::Ours(Work::Lanes(own.warm_up())),
            other => other.clone(),
        }
    }

    /// Starts it in `pod`, or beside all pods, against `target`, to run for `time`.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(&self, target: SocketAddr, time: Duration, pod: Option<&Pod>, place: &Place) -> anyhow::Result<Running> {
        let command = match self {
            Self::Wrk { connections, path } => wrk::command(target, *connections, path, time, place)?,
            Self::H2load { connections, streams, path } => h2load::command(target, (*connections, *streams), path, time, place)?,
            Self::Grpc { connections, streams } => grpc(target, (*connections, *streams), time, place)?,
            Self::Ours(work) => ours(&Order { target, time, work: work.clone() }, place)?,
        };
        let read = match self {
            Self::Wrk { .. } => wrk::read,
            Self::H2load { .. } | Self::Grpc { .. } => h2load::read,
            Self::Ours(_) => |told: &str| serde_json::from_str(told.lines().last()?).ok(),
        };
        Ok(Running { process: Process::start("load", command, pod, &place.scratch)?, read, time })
    }
}

/// A load that runs. Dropped, it ends.
pub(crate) struct Running {
    process: Process,
    read: fn(&str) -> Option<Tally>,
    time: Duration,
}

impl Running {
    /// Waits until it has ended.
    ///
    /// # Errors
    /// It failed, or its words cannot be understood. Requests that failed are no error here; they are counted.
    pub(crate) fn finish(self) -> anyhow::Result<Tally> {
        let told = self.process.finish(self.time + GRACE)?;
        (self.read)(&told).with_context(|| format!("cannot understand what the load said:\n{told}"))
    }
}

/// The command that carries out `order`.
///
/// # Errors
/// None in practice: an order has a JSON form.
pub(crate) fn ours(order: &Order, place: &Place) -> anyhow::Result<Command> {
    let mut command = place.ourselves();
    command.arg("__load").arg(serde_json::to_string(order)?);
    Ok(command)
}

fn grpc(target: SocketAddr, shape: (u32, u32), time: Duration, place: &Place) -> anyhow::Result<Command> {
    let question = place.scratch.join("grpc-question");
    fs::write(&question, message(ASKED))?;
    let mut command = h2load::command(target, shape, UNARY, time, place)?;
    command.arg("--data").arg(question).args(["--header=te: trailers", &format!("--header=content-type: {CONTENT_TYPE}")]);
    Ok(command)
}

/// Carries an order out and prints the tally.
///
/// # Errors
/// The order cannot be read, or nothing can be dialled.
pub(crate) fn obey(order: &str) -> anyhow::Result<()> {
    let order: Order = serde_json::from_str(order).context("not an order")?;
    let tally = match &order.work {
        Work::Lanes(lanes) => lanes::run(&order, lanes)?,
        Work::Streams { connections, streams } => streams::run(&order, *connections, *streams)?,
        Work::Handshakes(tls) => handshakes::run(&order, tls)?,
        Work::Hold { connections, tls } => return hold::run(&order, *connections, tls.as_ref()),
    };
    println!("{}", serde_json::to_string(&tally)?);
    Ok(())
}
