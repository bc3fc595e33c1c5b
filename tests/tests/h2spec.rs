//! h2spec, the conformance suite for HTTP/2 servers, meets our sidecars: where apps call out, and where strangers call in.

use std::{collections::BTreeMap, fs, process::Command};

use serde_json::json;
use tests::{App, Mesh, go_program, manifests, outside};

/// What the suite asks for and a sidecar does not do, by the suite's own numbers, and why that is so.
const KNOWN: [(&str, &str); 1] = [(
    "http2/3.5/2",
    "something else than HTTP/2's preface is closed too, but told so first, in HTTP/1.1: it may be a client of that",
)];

/// How many cases there are, strict ones included.
const CASES: usize = 146;

/// By its whole name: the suite takes the first ten bytes of the header block that comes of it, and a short name has fewer.
const CART: &str = "cart.shop.svc.cluster.local";

#[test]
fn a_sidecar_serves_apps_and_strangers_as_the_suite_demands() {
    let cart = App::new("cart", 8080, &["nghttpd", "--no-tls", "-d", ".", "8080"])
        .workload("ports", json!([{"containerPort": 8080, "appProtocol": "kubernetes.io/h2c"}]))
        .ports(json!([{"port": 80, "targetPort": 8080, "appProtocol": "kubernetes.io/h2c"}]));
    let mesh = Mesh::up_with(&manifests([&cart, &outside()]), &[("index.html", &"x".repeat(1000))]);
    mesh.ready("cart-0");
    mesh.ready("outside-0");
    let line = |port: &str, report: &str| {
        // Headers so long that five of them exceed the frame size that a sidecar announces.
        let options = ["-S", "-h", CART, "-p", port, "--max-header-length", "16000", "-j", report];
        [vec![go_program("h2spec")], options.map(String::from).to_vec()].concat()
    };
    let report = |name: &str| mesh.folder().join(name).display().to_string();
    conforms(&report("outbound.xml"), |report| mesh.command("web", &words(&line("80", report))));
    conforms(&report("inbound.xml"), |report| mesh.inside("outside-0", &words(&line("8080", report))));
}

/// Runs the suite, which writes to `report`, and holds it against what is known.
fn conforms(report: &str, suite: impl FnOnce(&str) -> Command) {
    let output = suite(report).output().expect("h2spec");
    let told = fs::read_to_string(report).unwrap_or_else(|error| panic!("no report: {error}: {output:?}"));
    let cases = cases(&told);
    assert_eq!(cases.len(), CASES, "cases in {report}: {cases:#?}");
    let failed: BTreeMap<String, String> = cases.into_iter().filter_map(|(case, told)| Some((case, told?))).collect();
    let known: Vec<&str> = KNOWN.iter().map(|(case, _)| *case).collect();
    assert!(failed.keys().eq(&known), "in {report} failed {failed:#?}\nand these should: {KNOWN:#?}");
}

fn words(line: &[String]) -> Vec<&str> {
    line.iter().map(String::as_str).collect()
}

/// Every case of a JUnit report by its number, with what was told if it failed.
fn cases(report: &str) -> BTreeMap<String, Option<String>> {
    let mut cases = BTreeMap::new();
    let mut section = "";
    let mut number = 0;
    for case in report.split("<testcase ").skip(1) {
        let of = case.split('"').nth(1).expect("package=\"…\"");
        number = if of == section { number + 1 } else { 1 };
        section = of;
        let (head, told) = case.split_once('>').expect("a whole tag");
        let told = told.split("</testcase>").next().expect("a beginning").trim();
        cases.insert(format!("{section}/{number}"), (!told.is_empty()).then(|| format!("{head}: {told}")));
    }
    cases
}
