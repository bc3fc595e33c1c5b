//! What people read of it.

use anyhow::ensure;
use comfy_table::{Cell, CellAlignment, Table, presets};

use super::{
    comparison::{Comparison, Verdict},
    scenario::Scenario,
};

/// All figures beside what is recorded.
pub fn table(comparisons: &[Comparison]) -> Table {
    let percent = |fraction: f64| format!("{:.2} %", fraction * 100.0);
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["scenario", "proxy", "instructions", "per", "spread", "recorded", "change", "allowed", ""]);
    for comparison in comparisons {
        let Scenario { name, unit, tolerance, .. } = comparison.scenario;
        let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([
            Cell::new(name),
            Cell::new(comparison.proxy.word()),
            number(comparison.counted().to_string()),
            Cell::new(unit),
            number(percent(comparison.spread())),
            number(comparison.recorded.map(|recorded| recorded.to_string()).unwrap_or_default()),
            number(comparison.change().map(percent).unwrap_or_default()),
            number(percent(tolerance)),
            Cell::new(comparison.verdict().word()),
        ]);
    }
    table
}

/// # Errors
/// Figures that are not what is recorded, with what to do about them.
pub fn judge(comparisons: &[Comparison]) -> anyhow::Result<()> {
    let names = |verdicts: &[Verdict]| {
        let judged = comparisons.iter().filter(|comparison| verdicts.contains(&comparison.verdict()));
        judged
            .map(|comparison| format!("{} ({})", comparison.scenario.name, comparison.proxy.word()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let dearer = names(&[Verdict::Dearer]);
    ensure!(
        dearer.is_empty(),
        "more instructions than are recorded: {dearer}. Find them (`cargo run -p bench -- guard --only SCENARIO --profiles DIR`, \
         and then `callgrind_annotate --threshold=100 FILE`); or, if they buy something that is worth them, record them with \
         `--record` and say in the commit what"
    );
    let better = names(&[Verdict::Cheaper, Verdict::New]);
    ensure!(
        better.is_empty(),
        "fewer instructions than are recorded, or nothing recorded: {better}. Record it, so that it is kept: \
         `cargo run -p bench -- guard --record`"
    );
    Ok(())
}
