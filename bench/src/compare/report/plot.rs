//! The plot: a group of bars for each scenario, in SVG that can be read on a light and on a dark page.

use std::fmt::Write as _;

use super::super::{
    contestants::Contestant,
    figures::{Number, shown},
    results::Results,
    scenarios::{self, Figure, Scenario},
};

/// Pixels.
const WIDTH: f64 = 860.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 70.0;
const BAR: f64 = 15.0;
const GROUP: f64 = 34.0;
const TOP: f64 = 34.0;

const STYLE: &str = "text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 }
.direct, .floor { fill: #8c959f } .haproxy { fill: #6f9bd1 } .nginx { fill: #7fb38a } .envoy { fill: #b79ad6 } .weft { fill: #d9822b } .governed { fill: #b5651d }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }";

/// Draws what the sidecars' CPU was spent on: shorter is better.
pub(super) fn draw(results: &Results) -> String {
    let mut body = String::new();
    let mut y = TOP;
    for scenario in scenarios::all().iter().filter(|scenario| is_cpu(scenario)) {
        let bars = bars(scenario, results);
        let longest = bars.iter().map(|(_, number)| *number).fold(f64::MIN_POSITIVE, f64::max);
        // One bar alone compares nothing.
        if bars.len() < 2 {
            continue;
        }
        let unit = if scenario.figure == Figure::CpuPerGib { "s for a GiB" } else { "µs for a request" };
        // Writing to a text cannot fail.
        let _ = writeln!(body, "<text class=\"title\" x=\"8\" y=\"{:.0}\">{} ({unit})</text>", y + 12.0, scenario.about);
        y += 20.0;
        for (contestant, number) in bars {
            let length = number / longest * (WIDTH - LEFT - RIGHT);
            let _ = write!(body, "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{contestant}</text>", LEFT - 6.0, y + 11.0);
            let (x, height) = (LEFT, BAR - 3.0);
            let _ = write!(
                body,
                "<rect class=\"{contestant}\" x=\"{x}\" y=\"{y:.0}\" width=\"{length:.1}\" height=\"{height}\" rx=\"2\"/>"
            );
            let _ = writeln!(body, "<text x=\"{:.1}\" y=\"{:.0}\">{}</text>", LEFT + length + 5.0, y + 11.0, shown(number));
            y += BAR;
        }
        y += GROUP - 20.0;
    }
    let title = "CPU of a pair of sidecars, user and system: shorter is better";
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y:.0}\" role=\"img\" aria-label=\"{title}\">
<style>{STYLE}</style>
<text class=\"title\" x=\"8\" y=\"18\">{title}</text>
{body}</svg>
"
    )
}

fn is_cpu(scenario: &Scenario) -> bool {
    matches!(scenario.figure, Figure::CpuPerRequest | Figure::CpuPerGib)
}

/// Medians of those that were measured.
fn bars(scenario: &Scenario, results: &Results) -> Vec<(Contestant, f64)> {
    let median = |contestant: Contestant| {
        let spread = results.spread(scenario.name, contestant, Number::Own(scenario.figure))?;
        Some((contestant, spread.median))
    };
    Contestant::ALL.into_iter().filter_map(median).collect()
}
