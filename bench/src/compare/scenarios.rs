//! What is measured, round after round.

use super::{
    contestants::Contestant,
    load::{Exchange, Keep, Lanes, Load, Pace, Until, Work},
    network::{APP, APP_UNDECLARED},
    traffic::Traffic,
};

/// Requests a second of the fixed rates.
pub(crate) const RATE: u32 = 2000;

const GIB: u64 = 1 << 30;

/// A load on a kind of traffic, and the number that matters of it.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) traffic: Traffic,
    pub(crate) aim: Aim,
    pub(crate) figure: Figure,
    /// Whether it is measured without being asked for by name.
    pub(crate) usual: bool,
}

/// What is loaded, and how.
#[derive(Clone, Debug)]
pub(crate) enum Aim {
    /// The service, at this port.
    Service(u16, Load),
    /// The inbound sidecar itself, by handshakes with the certificate of the outbound one.
    InboundSidecar,
}

/// The number that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// CPU microseconds of both sidecars for each request.
    CpuPerRequest,
    /// CPU seconds of both sidecars for a GiB.
    CpuPerGib,
    /// Handshakes for each CPU second of the inbound sidecar.
    HandshakesPerCpuSecond,
    /// How long requests take.
    Latency,
}

impl Aim {
    /// The least that shows that a pair for `traffic` works.
    pub(crate) fn first(traffic: Traffic) -> Self {
        let load = match traffic {
            Traffic::Http1 => Load::Ours(Work::Lanes(Lanes::closed(1, Exchange::Http(String::from("/1k"))))),
            Traffic::Http2 => Load::H2load { connections: 1, streams: 1, path: "/1k" },
            Traffic::Grpc => Load::Ours(Work::Streams { connections: 1, streams: 1 }),
            Traffic::Opaque => Load::Ours(Work::Lanes(Lanes::closed(1, Exchange::Opaque(1024)))),
        };
        Self::Service(APP, load)
    }
}

impl Scenario {
    /// Whether `contestant` takes part.
    pub(crate) fn is_for(&self, contestant: Contestant) -> bool {
        match &self.aim {
            // The others are told what their ports carry: for them it would be the declared port again.
            Aim::Service(APP_UNDECLARED, _) => contestant.is_ours(),
            Aim::Service(..) => true,
            Aim::InboundSidecar => contestant.has_tls(),
        }
    }

    /// The programs it takes beside the contestants'.
    pub(crate) fn needs(&self) -> Vec<&'static str> {
        let load = match &self.aim {
            Aim::Service(_, load) => load.needs(),
            Aim::InboundSidecar => &[],
        };
        [load, self.traffic.needs()].concat()
    }
}

/// All scenarios.
pub(crate) fn all() -> Vec<Scenario> {
    [http1(), http2(), opaque(), other()].concat()
}

fn http1() -> Vec<Scenario> {
    let scenario = |name, about, connections, path, usual| Scenario {
        name,
        about,
        traffic: Traffic::Http1,
        aim: Aim::Service(APP, Load::Wrk { connections, path }),
        figure: Figure::CpuPerRequest,
        usual,
    };
    vec![
        scenario("http1-1-1k", "HTTP/1.1, 1 connection, 1 kB", 1, "/1k", true),
        scenario("http1-32-0", "HTTP/1.1, 32 connections, no body", 32, "/0", true),
        scenario("http1-32-1k", "HTTP/1.1, 32 connections, 1 kB", 32, "/1k", true),
        scenario("http1-32-64k", "HTTP/1.1, 32 connections, 64 kB", 32, "/64k", true),
        scenario("http1-512-1k", "HTTP/1.1, 512 connections, 1 kB", 512, "/1k", true),
        scenario("http1-1-0", "HTTP/1.1, 1 connection, no body", 1, "/0", false),
        scenario("http1-1-64k", "HTTP/1.1, 1 connection, 64 kB", 1, "/64k", false),
        scenario("http1-512-0", "HTTP/1.1, 512 connections, no body", 512, "/0", false),
        scenario("http1-512-64k", "HTTP/1.1, 512 connections, 64 kB", 512, "/64k", false),
    ]
}

fn http2() -> Vec<Scenario> {
    let scenario = |name, about, traffic, load| Scenario {
        name,
        about,
        traffic,
        aim: Aim::Service(APP, load),
        figure: Figure::CpuPerRequest,
        usual: true,
    };
    let (connections, streams) = (8, 8);
    vec![
        scenario(
            "http2-8x8",
            "HTTP/2, 8 connections with 8 streams each, 1 kB",
            Traffic::Http2,
            Load::H2load { connections, streams, path: "/1k" },
        ),
        scenario(
            "grpc-unary",
            "unary gRPC, 8 connections with 8 calls each, 128 B for 1 kB",
            Traffic::Grpc,
            Load::Grpc { connections, streams },
        ),
        scenario(
            "grpc-stream",
            "gRPC streams, 8 connections with 8 each, message by message, 128 B for 1 kB",
            Traffic::Grpc,
            Load::Ours(Work::Streams { connections, streams }),
        ),
    ]
}

fn opaque() -> Vec<Scenario> {
    let scenario = |name, about, port, lanes, figure| Scenario {
        name,
        about,
        traffic: Traffic::Opaque,
        aim: Aim::Service(port, Load::Ours(Work::Lanes(lanes))),
        figure,
        usual: true,
    };
    let kept = Lanes::closed(32, Exchange::Opaque(1024));
    let new = Lanes { keep: Keep::Close, ..kept.clone() };
    let bulk = Lanes { until: Until::Count(1), ..Lanes::closed(1, Exchange::Opaque(GIB)) };
    vec![
        scenario("tcp-32", "opaque TCP, 32 connections, 1 kB", APP, kept.clone(), Figure::CpuPerRequest),
        scenario(
            "tcp-undeclared",
            "the same, on a port that nobody declared opaque",
            APP_UNDECLARED,
            kept,
            Figure::CpuPerRequest,
        ),
        scenario("tcp-new", "opaque TCP, a new connection for each request, 32 at a time, 1 kB", APP, new, Figure::CpuPerRequest),
        scenario("bulk", "1 GiB to the client on one opaque connection", APP, bulk, Figure::CpuPerGib),
    ]
}

fn other() -> Vec<Scenario> {
    let at_rate = |name, about, pace| {
        let lanes = Lanes { pace, ..Lanes::closed(32, Exchange::Http(String::from("/1k"))) };
        Scenario {
            name,
            about,
            traffic: Traffic::Http1,
            aim: Aim::Service(APP, Load::Ours(Work::Lanes(lanes))),
            figure: Figure::Latency,
            usual: true,
        }
    };
    vec![
        Scenario {
            name: "handshakes",
            about: "full mutual handshakes with the inbound sidecar, one after another",
            traffic: Traffic::Http1,
            aim: Aim::InboundSidecar,
            figure: Figure::HandshakesPerCpuSecond,
            usual: true,
        },
        at_rate("rate-steady", "HTTP/1.1, 2000 requests/s at equal distances, 1 kB", Pace::Steady(RATE)),
        at_rate("rate-random", "HTTP/1.1, 2000 requests/s as of independent clients, 1 kB", Pace::Random(RATE)),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_scenarios_have_one_name() {
        let names: BTreeSet<&str> = all().iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all().len());
    }

    #[test]
    fn only_weft_can_find_out_what_a_port_carries() {
        let undeclared = all().into_iter().find(|scenario| scenario.name == "tcp-undeclared").unwrap();
        let takes_part: Vec<Contestant> = Contestant::ALL.into_iter().filter(|who| undeclared.is_for(*who)).collect();
        assert_eq!(takes_part, [Contestant::Weft, Contestant::Governed]);
    }
}
