//! The ways in which a connection may end: both halves, one after the other, or broken. Each is told to the other side.

use serde_json::{Value, json};
use tests::{App, Mesh, both, manifests, outside, script, ways};

/// Cases of `endings.py`, and how they end without a mesh.
type Cases<'a> = &'a [(&'a str, &'a str)];

const ORDERLY: Cases = &[
    ("the_client_ends_and_hears_the_answer", "300000 counted, 0 bytes, then the end"),
    ("the_client_ends_without_a_word_and_hears_the_answer", "0 counted, 0 bytes, then the end"),
    ("the_server_ends_first_and_goes_on_listening", "8 bytes, then the end; the server: 300000 bytes, then the end"),
    ("the_client_leaves_as_soon_as_it_is_connected", "the server: 0 bytes, then the end"),
];

const BROKEN: Cases = &[
    ("the_client_resets_after_some_bytes", "the server: 1000 bytes, then ECONNRESET"),
    ("the_server_greets_and_resets", "hello; 0 bytes, then ECONNRESET"),
    ("the_server_resets_after_much", "16777216 bytes; 0 bytes, then ECONNRESET"),
    ("the_server_is_gone_and_the_client_talks_on", "hello, 0 bytes, then the end; broken"),
];

#[test]
fn the_end_of_one_direction_is_passed_on_and_leaves_the_other_open() {
    end_as_without_a_mesh(ORDERLY);
}

#[test]
fn a_reset_is_passed_on_as_a_reset_within_a_second() {
    end_as_without_a_mesh(BROKEN);
}

#[test]
fn a_reset_without_a_word_is_passed_on_as_well() {
    end_as_without_a_mesh(&[
        ("the_client_resets_without_a_word", "the server: 0 bytes, then ECONNRESET"),
        ("the_server_resets_without_a_word", "0 bytes, then ECONNRESET"),
    ]);
}

#[test]
fn a_reset_after_an_orderly_end_of_the_same_side_is_passed_on_as_well() {
    end_as_without_a_mesh(&[
        ("the_client_resets_after_its_end", "the server: 1 bytes, then the end, broken"),
        ("the_server_resets_after_its_end", "8 bytes, then the end; broken"),
    ]);
}

#[test]
fn a_server_is_dialled_once_for_each_connection() {
    end_as_without_a_mesh(&[("the_server_is_dialled_once_for_each_connection", "1 1 1")]);
}

/// Goes through `cases` in every world and by both families.
fn end_as_without_a_mesh(cases: Cases) {
    let script = script("endings.py");
    let ports: Vec<Value> = (7000..=7010).map(|port| json!({"name": format!("p{port}"), "port": port})).collect();
    let server = |name: &str| App::new(name, 7000, &["python3", "-u", &script, "serve"]).ports(Value::from(ports.clone()));
    let mesh = Mesh::up(&manifests(both("ends", server).iter().chain([&outside()])));
    for pod in ["ends-0", "plain-ends-0", "outside-0"] {
        mesh.ready(pod);
    }
    let expected: Vec<String> = cases.iter().map(|(case, end)| format!("{case}: {end}")).collect();
    let mut wrong = Vec::new();
    for (world, family) in ways() {
        let host = world.host("ends");
        let call = ["python3", &script, "call", &host, family].into_iter().chain(cases.iter().map(|(case, _)| *case));
        let told = world.call(&mesh, &call.collect::<Vec<_>>());
        let different = told.lines().zip(&expected).filter(|(told, expected)| told != expected);
        wrong.extend(different.map(|(told, expected)| format!("{world}, IPv{family}:\n  {told}\n  instead of\n  {expected}")));
        assert_eq!(told.lines().count(), expected.len(), "{told}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
