//! The arrows of ARCHITECTURE.md, held against the source.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Rust files below `folder`, with their text up to the unit tests, where other rules hold.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
                found.push((path.strip_prefix(root()).expect("below the root").display().to_string(), code));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has no source");
    found
}

/// Crates of ours that a crate's manifest depends on, tests aside.
fn dependencies(package: &str) -> BTreeSet<String> {
    const OURS: [&str; 10] = ["admin", "bench", "certs", "cli", "control", "inject", "kernel", "proxy", "tests", "wire"];
    let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).expect("a manifest");
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let name = |line: &str| line.split(['.', ' ', '=']).next().unwrap_or_default().to_owned();
    section.lines().map(name).filter(|name| OURS.contains(&name.as_str())).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn crates_point_only_where_the_map_says() {
    for (package, allowed) in [
        ("admin", set(&[])),
        ("certs", set(&[])),
        ("wire", set(&[])),
        ("kernel", set(&[])),
        ("proxy", set(&["admin", "certs", "kernel", "wire"])),
        ("inject", set(&[])),
        ("control", set(&["admin", "certs", "inject", "wire"])),
        ("cli", set(&["certs", "control", "inject", "kernel", "proxy"])),
        // The harness starts programs, as users do.
        ("tests", set(&[])),
        // It measures programs, and nothing from inside them.
        ("bench", set(&["certs", "kernel", "tests", "wire"])),
    ] {
        let found = dependencies(package);
        assert!(found.is_subset(&allowed), "{package} depends on {found:?}, and may on {allowed:?}");
    }
}

/// Names of `forbidden` modules that the files of `room` import.
fn imports(folder: &str, room: &str, forbidden: &[&str]) -> Vec<String> {
    let inside = |path: &str| path == format!("{folder}/{room}.rs") || path.starts_with(&format!("{folder}/{room}/"));
    let mut found = Vec::new();
    for (path, code) in sources(folder).into_iter().filter(|(path, _)| inside(path)) {
        for module in forbidden {
            if mentions(&code, module) {
                found.push(format!("{path} imports {module}"));
            }
        }
    }
    found
}

/// Whether `code` names the crate's module in a path or in a grouped import.
fn mentions(code: &str, module: &str) -> bool {
    if code.contains(&format!("crate::{module}::")) || code.contains(&format!("crate::{module};")) {
        return true;
    }
    let grouped = code.split("use crate::{").skip(1).filter_map(|rest| rest.split("};").next());
    let names = |group: &str| {
        let mut depth = 0;
        let mut name = String::new();
        let mut names = Vec::new();
        for letter in group.chars() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => names.push(std::mem::take(&mut name)),
                _ if depth == 0 => name.push(letter),
                _ => {}
            }
        }
        names.push(name);
        names
    };
    grouped.flat_map(names).any(|name| name.trim().split("::").next() == Some(module))
}

#[test]
fn rooms_of_the_proxy_know_only_the_room_before_them() {
    const ROOMS: [&str; 6] = ["accept", "detect", "route", "balance", "connect", "relay"];
    // Beside the type its previous room hands over; `connect` dials for `detect`'s race, and its pipes go on to `relay`.
    let allowed: [(&str, &[&str]); 6] = [
        ("accept", &[]),
        ("detect", &["accept"]),
        ("route", &[]),
        ("balance", &[]),
        ("connect", &["balance", "detect"]),
        ("relay", &["connect", "detect"]),
    ];
    let mut wrong = Vec::new();
    for (room, known) in allowed {
        let forbidden: Vec<&str> = ROOMS.into_iter().filter(|other| *other != room && !known.contains(other)).collect();
        wrong.extend(imports("proxy/src", room, &forbidden));
    }
    for shared in ["events", "refusal", "clock", "snapshot"] {
        wrong.extend(imports("proxy/src", shared, &ROOMS));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_corridor_knows_every_room() {
    let (_, code) = sources("proxy/src").into_iter().find(|(path, _)| path.ends_with("corridor.rs")).expect("the corridor");
    for room in ["accept", "detect", "route", "balance", "connect", "relay"] {
        assert!(mentions(&code, room), "the corridor does not pass {room}");
    }
}

#[test]
fn only_the_feed_and_identity_speak_the_wire() {
    let wrong: Vec<String> = sources("proxy/src")
        .into_iter()
        .filter(|(path, _)| !["/feed/", "/identity/", "/probe/"].iter().any(|room| path.contains(room)))
        .filter(|(_, code)| code.contains("use wire::") || code.contains(" wire::"))
        .map(|(path, _)| path)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn index_and_plan_know_no_source_and_no_server() {
    let mut wrong = imports("control/src", "index", &["watch", "serve", "plan", "state", "manifest"]);
    wrong.extend(imports("control/src", "plan", &["watch", "serve", "state", "manifest"]));
    wrong.extend(imports("control/src", "watch", &["serve"]));
    wrong.extend(imports("control/src", "serve", &["watch", "manifest"]));
    for (path, code) in sources("control/src").into_iter().filter(|(path, _)| path.contains("/index/") || path.contains("/plan/"))
    {
        let clients = ["notify", "tonic", "hyper", "tokio", "kube"];
        wrong.extend(
            clients.iter().filter(|client| code.contains(&format!("{client}::"))).map(|client| format!("{path} uses {client}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_has_one_place() {
    let mut found = Vec::new();
    for package in ["admin", "bench", "certs", "cli", "control", "inject", "kernel", "proxy", "wire"] {
        found.extend(
            sources(&format!("{package}/src")).into_iter().filter(|(_, code)| code.contains("unsafe {")).map(|(path, _)| path),
        );
    }
    assert_eq!(found, ["kernel/src/sys.rs"]);
}

#[test]
fn the_proxys_program_depends_on_no_kubernetes_crate() {
    let cargo = std::env::var_os("CARGO").expect("cargo runs the tests");
    let tree = Command::new(cargo)
        .args(["tree", "--package", "proxy", "--edges", "normal", "--prefix", "none", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo tree runs");
    let tree = String::from_utf8(tree.stdout).expect("text");
    assert!(tree.contains("certs v"), "the tree was read: {tree}");
    for forbidden in ["kube", "k8s-openapi", "gateway-api", "envoy-types", "rcgen-x509", "hickory"] {
        assert!(!tree.lines().any(|line| line.starts_with(forbidden)), "{forbidden} is in the proxy");
    }
}

#[test]
fn every_reason_to_refuse_has_a_line_for_operators() {
    let refusal = fs::read_to_string(root().join("proxy/src/refusal.rs")).expect("the reasons");
    let page = fs::read_to_string(root().join("docs/operating/refusals.md")).expect("the page");
    let words = refusal.split("pub fn word(self)").nth(1).expect("their words").split("impl Room").next().unwrap_or_default();
    let words: Vec<&str> = words.split('"').skip(1).step_by(2).collect();
    assert!(words.len() >= 20, "{words:?}");
    for word in words {
        assert!(page.contains(&format!("| `{word}` |")), "docs/operating/refusals.md has no line for {word}");
    }
}

#[test]
fn every_variable_the_proxy_reads_has_a_line_for_operators() {
    let env = fs::read_to_string(root().join("proxy/src/config/env.rs")).expect("the reader");
    let page = fs::read_to_string(root().join("docs/operating/env.md")).expect("the page");
    let code = env.split("#[cfg(test)]").next().unwrap_or_default();
    let names: BTreeSet<&str> = code.split('"').filter(|text| text.starts_with("WEFT_")).collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        assert!(page.contains(&format!("| `{name}` |")), "docs/operating/env.md has no line for {name}");
    }
}
