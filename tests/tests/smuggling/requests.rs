//! Every case goes to every backend, on every way.

use std::collections::BTreeSet;

use crate::{
    backends::{self, BACKENDS, Way},
    case::Must,
    cases,
    exchange::{self, Sequence},
    judge,
    report::Complaints,
};

#[test]
fn requests_through_two_sidecars_are_read_alike_or_refused() {
    try_all(Way::Mesh);
}

#[test]
fn requests_from_outside_the_mesh_are_read_alike_or_refused() {
    try_all(Way::Inbound);
}

#[test]
fn requests_to_servers_outside_the_mesh_are_read_alike_or_refused() {
    try_all(Way::Outbound);
}

#[test]
fn the_cases_are_many_and_no_proxy_can_pass_by_refusing_everything() {
    let cases = cases::all();
    let count = |wanted: fn(&Must) -> bool| cases.iter().filter(|case| wanted(&case.must)).count();
    let passing = count(|must| matches!(must, Must::Pass(_) | Must::PassAndClose(_)));
    let refused = count(|must| matches!(must, Must::RefuseAfter(_) | Must::BreakOff));
    assert!(cases.len() >= 350 && passing >= 90 && refused >= 250, "{} cases, {passing} pass, {refused} refused", cases.len());
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "two cases have the same name");
}

fn try_all(way: Way) {
    let mesh = backends::up(way);
    let cases = cases::all();
    let sequences: Vec<Sequence> =
        cases.iter().enumerate().map(|(number, case)| case.sequence(&BACKENDS, vec![case.sent(number)])).collect();
    let told = exchange::send(&mesh, way, &sequences);
    let mut wrong = Complaints::default();
    for backend in BACKENDS {
        let seen = backends::seen(mesh.folder(), backend);
        for (number, case) in cases.iter().enumerate().filter(|(_, case)| !case.except.contains(&backend)) {
            let came = told.of(backend, number);
            wrong.add(backend, &case.name, (&case.bytes, came), judge::complaints(case, came, seen.get(&number)));
        }
    }
    wrong.report(way);
}
