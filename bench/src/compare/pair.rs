//! A pair of pods with a contestant's sidecars, ready to be loaded.

use std::{net::SocketAddr, thread, time::Duration};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::{
    apps,
    contestants::{self, Contestant, Mesh, Post},
    load::{Load, Running, Tls, Work},
    network::{APP, End, Pod, Redirected, service},
    place::Place,
    process::Process,
    scenarios::Aim,
    traffic::Traffic,
};
use crate::{
    clock,
    compare::identities::spiffe,
    usage::{Cpu, Memory},
};

/// For a pair to answer its first request.
const START: Duration = Duration::from_secs(20);

/// How long each try at that takes.
const TRY: Duration = Duration::from_millis(50);

/// Two pods, their sidecars and the app.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) contestant: Contestant,
    pub(crate) traffic: Traffic,
    number: u8,
    client: Pod,
    server: Pod,
    /// Nobody, or the outbound one and the inbound one.
    sidecars: Vec<Process>,
    app: Process,
}

/// Something of each of the two sidecars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Both<T> {
    pub(crate) outbound: T,
    pub(crate) inbound: T,
}

/// Starts pairs, each with a number of its own.
pub(crate) struct Pairs<'a> {
    pub(crate) place: &'a Place,
    pub(crate) mesh: Option<&'a Mesh>,
    started: u8,
}

impl<'a> Pairs<'a> {
    /// None was started yet.
    pub(crate) fn new(place: &'a Place, mesh: Option<&'a Mesh>) -> Self {
        Self { place, mesh, started: 0 }
    }

    /// Builds the pods of another pair, starts everything in them, and waits until `aim` is answered.
    ///
    /// # Errors
    /// Something cannot be built or started, or does not answer within 20 s.
    pub(crate) fn start(&mut self, contestant: Contestant, traffic: Traffic, aim: &Aim) -> anyhow::Result<Pair> {
        self.started = self.started.checked_add(1).context("there are no more addresses")?;
        let started = Pair::start(contestant, traffic, self.started, self);
        let mut pair = started.with_context(|| format!("cannot start {contestant} for {}", traffic.word()))?;
        pair.await_answer(aim, self.place).with_context(|| format!("{contestant} does not answer {}", traffic.word()))?;
        Ok(pair)
    }
}

impl Pair {
    fn start(contestant: Contestant, traffic: Traffic, number: u8, pairs: &Pairs<'_>) -> anyhow::Result<Self> {
        let (place, mesh) = (pairs.place, pairs.mesh);
        let client = Pod::build(number, End::Client, contestant.redirected())?;
        let server = Pod::build(number, End::Server, contestant.redirected())?;
        let name = format!("{contestant}-{}-{number}-app", traffic.word());
        let app = Process::start(&name, apps::command(traffic, place)?, Some(&server), &place.scratch)?;
        let mut sidecars = Vec::new();
        for (end, pod) in [(End::Client, &client), (End::Server, &server)] {
            let post = Post { pair: number, end, traffic, server: server.address, own: pod.address };
            if let Some(command) = contestants::command(contestant, &post, place, mesh)? {
                sidecars.push(Process::start(&post.word(contestant), command, Some(pod), &place.scratch)?);
            }
        }
        Ok(Self { contestant, traffic, number, client, server, sidecars, app })
    }

    fn await_answer(&mut self, aim: &Aim, place: &Place) -> anyhow::Result<()> {
        let latest = clock::now() + START;
        loop {
            let tried = self.run(&self.load(aim, place).warm_up(), aim, TRY, place).and_then(Running::finish);
            self.check()?;
            match tried {
                Ok(tally) if tally.requests > 0 && tally.errors == 0 => return Ok(()),
                Ok(tally) if clock::now() > latest => {
                    bail!("{} requests were answered and {} failed{}", tally.requests, tally.errors, self.last_words())
                }
                Err(error) if clock::now() > latest => return Err(error.context(self.last_words())),
                _ => thread::sleep(TRY),
            }
        }
    }

    /// Starts the load of `aim` on it, for `time`.
    ///
    /// # Errors
    /// The load cannot be started.
    pub(crate) fn start_load(&self, aim: &Aim, time: Duration, place: &Place) -> anyhow::Result<Running> {
        self.run(&self.load(aim, place), aim, time, place)
    }

    /// Runs a short load like that of `aim`.
    ///
    /// # Errors
    /// The load cannot be run.
    pub(crate) fn warm_up(&self, aim: &Aim, time: Duration, place: &Place) -> anyhow::Result<()> {
        self.run(&self.load(aim, place).warm_up(), aim, time, place)?.finish().map(drop)
    }

    /// The inbound sidecar is dialled from outside of the pods: the rules would send everybody else to the outbound one.
    fn run(&self, load: &Load, aim: &Aim, time: Duration, place: &Place) -> anyhow::Result<Running> {
        match aim {
            Aim::Service(port, _) => load.start(self.service(*port), time, Some(&self.client), place),
            Aim::InboundSidecar => load.start(self.inbound_sidecar(), time, None, place),
        }
    }

    /// The pods: the client's and the server's.
    pub(crate) fn pods(&self) -> [&Pod; 2] {
        [&self.client, &self.server]
    }

    /// The service; where nothing is redirected, the app itself.
    pub(crate) fn service(&self, port: u16) -> SocketAddr {
        let is_redirected = self.contestant.redirected() != Redirected::No;
        SocketAddr::from((if is_redirected { service(self.number) } else { self.server.address }, port))
    }

    /// The inbound sidecar, as another sidecar dials it: by the app's port.
    pub(crate) fn inbound_sidecar(&self) -> SocketAddr {
        SocketAddr::from((self.server.address, APP))
    }

    /// Who the outbound sidecar is, and whom it expects.
    pub(crate) fn tls(&self, place: &Place) -> Tls {
        let identities = &place.identities;
        Tls {
            root: identities.root.clone(),
            certificate: identities.client.certificate.clone(),
            key: identities.client.key.clone(),
            expected: spiffe("server"),
            alpn: self.contestant.alpn().to_owned(),
        }
    }

    fn load(&self, aim: &Aim, place: &Place) -> Load {
        match aim {
            Aim::Service(_, load) => load.clone(),
            Aim::InboundSidecar => Load::Ours(Work::Handshakes(self.tls(place))),
        }
    }

    /// CPU time of both sidecars until now; nothing where there are none.
    ///
    /// # Errors
    /// One of them has ended.
    pub(crate) fn cpu(&self) -> anyhow::Result<Both<Cpu>> {
        self.of_both(|process| Ok(Cpu::of(process)?))
    }

    /// Memory of both sidecars now.
    ///
    /// # Errors
    /// One of them has ended.
    pub(crate) fn memory(&self) -> anyhow::Result<Both<Memory>> {
        self.of_both(|process| Ok(Memory::of(process)?))
    }

    /// `read` of the process number of each sidecar.
    ///
    /// # Errors
    /// As `read`.
    pub(crate) fn of_both<T: Default>(&self, read: impl Fn(u32) -> anyhow::Result<T>) -> anyhow::Result<Both<T>> {
        let [outbound, inbound] = self.sidecars.as_slice() else { return Ok(Both::default()) };
        Ok(Both { outbound: read(outbound.id())?, inbound: read(inbound.id())? })
    }

    /// Checks that everything still runs.
    ///
    /// # Errors
    /// Something has ended; the error has its last words.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        self.sidecars.iter_mut().chain([&mut self.app]).try_for_each(Process::check).context("a pair is broken")
    }

    fn last_words(&self) -> String {
        let of = |process: &Process| format!("\n{} said: {}", process.name(), process.last_words());
        self.sidecars.iter().chain([&self.app]).map(of).collect()
    }
}
