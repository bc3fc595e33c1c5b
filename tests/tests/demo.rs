//! The demo is the product: what it prints is what happened.

use std::process::Command;

#[test]
fn the_demo_fails_no_request_and_every_hop_is_mutual_tls() {
    let output = weft(&["demo", "--for", "6s", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    });
    assert!(output.status.success(), "{told:#}");
    assert!(told["requests"].as_u64().expect("requests") > 100, "{told:#}");
    assert_eq!(told["failed"], 0, "{told:#}");
    assert!((told["mtls_ratio"].as_f64().expect("a ratio") - 1.0).abs() < f64::EPSILON, "{told:#}");
    let edges = told["edges"].as_array().expect("edges");
    for (from, to) in [("web", "cart"), ("cart", "stock")] {
        let edge = edges
            .iter()
            .find(|edge| starts(&edge["from"], from) && starts(&edge["to"], to))
            .unwrap_or_else(|| panic!("no edge from {from} to {to}: {told:#}"));
        assert!(edge["requests"].as_u64().expect("requests") > 0, "{edge:#}");
        assert!(edge["p50_ms"].as_f64().expect("p50") <= edge["p99_ms"].as_f64().expect("p99"), "{edge:#}");
        for identity in ["client_identity", "server_identity"] {
            assert!(starts(&edge[identity], "spiffe://"), "{edge:#}");
        }
    }
}

fn starts(value: &serde_json::Value, with: &str) -> bool {
    value.as_str().is_some_and(|text| text.starts_with(with))
}

fn weft(arguments: &[&str]) -> std::process::Output {
    let tests = std::env::current_exe().expect("our own path");
    let built = tests.ancestors().nth(2).expect("the target folder").join("weft");
    Command::new(built).args(arguments).output().expect("weft starts")
}
