//! A comparison from end to end, as short as can be: with programs of ours alone.

use std::{path::Path, process::Command};

use serde_json::Value;

#[test]
fn a_short_comparison_measures_the_floor_and_weft() {
    let bench = Path::new(env!("CARGO_BIN_EXE_bench"));
    let built = bench.parent().expect("the folder of programs");
    assert!(built.join("weft-proxy").exists(), "weft-proxy is not there; `cargo build --workspace` makes it");
    let out = tempfile::tempdir().expect("a folder");
    let output = Command::new(bench)
        .args(["compare", "--contestants", "floor,weft", "--scenarios", "tcp-32", "--rounds", "1", "--seconds", "1", "--json"])
        .arg("--programs")
        .arg(built)
        .arg("--out")
        .arg(out.path())
        .output()
        .expect("bench starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let results: Value = serde_json::from_slice(&output.stdout).expect("results in JSON");
    for contestant in ["floor", "weft"] {
        let samples = results["samples"].as_array().expect("samples");
        let sample = samples.iter().find(|sample| sample["contestant"] == contestant).expect("a sample of each");
        assert!(sample["tally"]["requests"].as_u64().is_some_and(|requests| requests > 100), "{sample}");
        assert_eq!(sample["tally"]["errors"], 0, "{sample}");
        assert!(sample["cpu_seconds"]["inbound"].as_f64().is_some_and(|cpu| cpu > 0.0), "{sample}");
    }
    let page = std::fs::read_to_string(out.path().join("RESULTS.md")).expect("a page");
    assert!(page.contains("| tcp-32") && page.contains("not fair"), "{page}");
    assert!(out.path().join("RESULTS.svg").exists() && out.path().join("results.json").exists());
}
