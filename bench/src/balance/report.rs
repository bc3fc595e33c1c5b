//! What people read of it.

use super::figures::{Balancer, Figures};

/// A page of Markdown.
pub(super) fn markdown(figures: &Figures) -> String {
    let Figures { host, command, rate, slow_ms, rounds, seconds, balancers } = figures;
    let round_robin = balancers.iter().find(|balancer| balancer.name == "RoundRobin").map(|balancer| balancer.p99_ms.median);
    let line = |balancer: &Balancer| {
        let Balancer { name, p50_ms, p99_ms, slow_percent } = balancer;
        let ratio = round_robin.map_or_else(|| String::from("-"), |other| format!("{:.2}", p99_ms.median / other));
        format!("| {name} | {p50_ms} | {p99_ms} | {ratio} | {slow_percent} |\n")
    };
    let lines: String = balancers.iter().map(line).collect();
    format!(
        "# One slow replica of five\n\n\
         `cargo run --release -p bench -- {command}` on {host}\n\n\
         {rate} requests per second at a fixed rate over HTTP/1.1, {rounds} rounds of {seconds} s for each way to balance, in turn. The slow replica takes {slow_ms} ms, the others answer at once. \
         Medians over rounds, with the least and the most.\n\n\
         | balancer | p50, ms | p99, ms | p99 to RoundRobin's | the slow one's share, % |\n|---|---|---|---|---|\n{lines}\n\
         A round begins where the one before it ended: what a balancer has learned of the slow replica it still knows, but a balancer whose turn comes has not \
         asked for the time that the others' turns took.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{host::Host, statistics::Spread};

    #[test]
    fn a_page_compares_with_round_robin() {
        let spread = |median| Spread { median, least: median, most: median };
        let balancer =
            |name: &str, p99| Balancer { name: name.into(), p50_ms: spread(1.0), p99_ms: spread(p99), slow_percent: spread(1.0) };
        let balancers = vec![balancer("PeakEwma", 5.0), balancer("RoundRobin", 50.0)];
        let command = String::from("balance");
        let page =
            markdown(&Figures { host: Host::default(), command, rate: 300, slow_ms: 50, rounds: 5, seconds: 5, balancers });
        assert!(page.contains("| PeakEwma | 1.00 (1.00–1.00) | 5.00 (5.00–5.00) | 0.10 |"), "{page}");
    }
}
