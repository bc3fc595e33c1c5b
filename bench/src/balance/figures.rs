//! What was measured.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{host::Host, statistics::Spread};

/// All of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Figures {
    pub(super) host: Host,
    pub(super) command: String,
    /// Requests per second.
    pub(super) rate: u16,
    /// What the slow one takes.
    pub(super) slow_ms: u16,
    pub(super) rounds: u16,
    pub(super) seconds: u16,
    pub(super) balancers: Vec<Balancer>,
}

/// One way to balance, over all rounds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Balancer {
    pub(super) name: String,
    pub(super) p50_ms: Spread,
    pub(super) p99_ms: Spread,
    /// Of the requests, how many the slow one got.
    pub(super) slow_percent: Spread,
}

/// One measurement.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) failed: f64,
    p50_ms: f64,
    p99_ms: f64,
    slow_percent: f64,
}

impl Load {
    /// What the load told, if that is what it tells.
    pub(super) fn read(told: &Value) -> Option<Self> {
        let slow = told["by"]["cart-0"].as_f64().unwrap_or(0.0);
        Some(Self {
            failed: told["failed"].as_f64()?,
            p50_ms: told["p50"].as_f64()?,
            p99_ms: told["p99"].as_f64()?,
            slow_percent: 100.0 * slow / told["sent"].as_f64()?,
        })
    }
}

/// Of several measurements.
pub(super) fn of(name: &str, loads: &[Load]) -> Option<Balancer> {
    let spread = |number: fn(&Load) -> f64| Spread::of(loads.iter().map(number));
    Some(Balancer {
        name: name.to_owned(),
        p50_ms: spread(|load| load.p50_ms)?,
        p99_ms: spread(|load| load.p99_ms)?,
        slow_percent: spread(|load| load.slow_percent)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_share_is_of_all_that_was_sent_and_none_is_none() {
        let told = json!({"sent": 200, "failed": 0, "p50": 1.0, "p99": 60.0, "by": {"cart-0": 10, "cart-1": 190}});
        let loads =
            [Load::read(&told).unwrap(), Load::read(&json!({"sent": 1, "failed": 0, "p50": 1.0, "p99": 1.0, "by": {}})).unwrap()];
        let found = of("Random", &loads).unwrap();
        assert_eq!((found.slow_percent.least, found.slow_percent.most), (0.0, 5.0));
        assert!(Load::read(&json!({})).is_none());
    }
}
