//! What is counted.

use super::traffic::Traffic;

/// Some traffic, and how it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What the recorded figures call it.
    pub name: &'static str,
    /// The traffic.
    pub traffic: Traffic,
    /// What figures are per.
    pub unit: &'static str,
    /// How many of these one exchange is.
    pub units: u32,
    /// Exchanges that are not counted, in which connections are made, pools filled and buffers grown.
    pub warm_up: u32,
    /// Exchanges that are counted.
    pub exchanges: u32,
    /// How far from the recorded figure a proxy may be: a fraction of it.
    pub tolerance: f64,
}

/// Where every read of a proxy finds the same bytes. Repeated counts are at most 0.8 % apart, and most 0.1 %, on an idle machine
/// as on one with three times as much to do as it has processors.
const STEADY: f64 = 0.02;

/// Where it depends on who is faster how much one read finds. Repeated counts are up to 2.2 % apart.
const TIMED: f64 = 0.05;

/// All of them.
pub const ALL: [Scenario; 8] = [
    Scenario {
        name: "http1_1kB",
        traffic: Traffic::Http1 { connections: 1, request: 0, answer: 1_000 },
        unit: "request",
        units: 1,
        warm_up: 100,
        exchanges: 500,
        tolerance: STEADY,
    },
    Scenario {
        name: "http1_1kB_32_connections",
        traffic: Traffic::Http1 { connections: 32, request: 0, answer: 1_000 },
        unit: "request",
        units: 32,
        warm_up: 5,
        exchanges: 30,
        tolerance: TIMED,
    },
    Scenario {
        name: "http1_64KiB_both_ways",
        traffic: Traffic::Http1 { connections: 1, request: 64 << 10, answer: 64 << 10 },
        unit: "request",
        units: 1,
        warm_up: 20,
        exchanges: 100,
        tolerance: STEADY,
    },
    Scenario {
        name: "http2_1kB_8_streams",
        traffic: Traffic::Http2 { streams: 8, answer: 1_000 },
        unit: "request",
        units: 8,
        warm_up: 20,
        exchanges: 100,
        tolerance: TIMED,
    },
    Scenario {
        name: "grpc_unary_1kB",
        traffic: Traffic::Grpc { message: 1_000 },
        unit: "call",
        units: 1,
        warm_up: 100,
        exchanges: 500,
        tolerance: TIMED,
    },
    Scenario {
        name: "opaque_1kB",
        traffic: Traffic::PingPong { bytes: 1_000 },
        unit: "exchange",
        units: 1,
        warm_up: 100,
        exchanges: 1_000,
        tolerance: STEADY,
    },
    Scenario {
        name: "opaque_1kB_new_connections",
        traffic: Traffic::Connections { bytes: 1_000 },
        unit: "connection",
        units: 1,
        warm_up: 50,
        exchanges: 200,
        tolerance: STEADY,
    },
    Scenario {
        name: "bulk",
        traffic: Traffic::Bulk { bytes: 8 << 20 },
        unit: "KiB",
        units: 8 << 10,
        warm_up: 1,
        exchanges: 3,
        tolerance: TIMED,
    },
];
