//! HTTP/2 frame by frame: a client and a server that do exactly what they are told, well and badly, with sidecars between them.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    thread,
};

use serde_json::json;
use tests::{App, Mesh, manifests, outside, python, script};

fn server(name: &str, more: &[&str]) -> App {
    App::new(name, 8080, &[&[&*python(), &script("http2/server.py"), "8080"], more].concat())
}

/// The same, where HTTP/2 is declared.
fn declared(name: &str) -> App {
    let protocol = "kubernetes.io/h2c";
    let app = server(name, &[]).workload("ports", json!([{"containerPort": 8080, "appProtocol": protocol}]));
    app.ports(json!([{"port": 8080, "appProtocol": protocol}]))
}

/// Checks of `tests/scripts/http2`, by the names they have there.
const CHECKS: [&str; 38] = [
    "a_cancelled_request_without_answer_is_cancelled_at_the_server",
    "a_cancelled_answer_is_cancelled_at_the_server",
    "a_cancelled_upload_is_cancelled_at_the_server",
    "a_client_that_is_gone_cancels_what_it_asked_for",
    "codes_of_a_server_midway_reach_the_client",
    "a_reset_instead_of_an_answer_reaches_the_client",
    "a_refused_stream_is_tried_again",
    "a_refused_upload_is_not_made_up",
    "an_early_answer_is_whole_and_no_failure",
    "a_request_that_a_goodbye_leaves_out_is_tried_again",
    "a_request_that_a_goodbye_counts_in_is_not_repeated",
    "a_goodbye_lets_open_streams_finish_and_new_ones_go_elsewhere",
    "a_server_that_crashes_midway_resets_what_it_had_begun",
    "a_server_that_lies_about_a_length_fails_that_answer_alone",
    "a_request_that_lies_about_its_length_fails_alone",
    "trailers_go_both_ways",
    "trailers_go_without_data",
    "an_answer_of_headers_alone_stays_that",
    "padding_is_taken_off_and_counted",
    "priorities_are_ignored",
    "pings_are_answered",
    "unknown_frames_and_settings_are_ignored",
    "big_bodies_pass_small_windows",
    "a_window_may_shrink_below_nothing",
    "headers_of_many_kinds_arrive_as_they_were",
    "headers_in_many_continuations_arrive",
    "frames_without_data_change_nothing",
    "bodies_of_single_bytes_arrive",
    "uploads_of_single_bytes_arrive",
    "a_thousand_streams_at_once_are_answered",
    "one_stream_that_is_not_read_hurts_no_other",
    "windows_of_answers_given_up_are_given_back",
    "a_client_that_dies_hurts_no_other",
    "a_client_that_cancels_as_fast_as_it_asks_hurts_no_other",
    "a_client_that_cancels_answers_as_they_begin_hurts_no_other",
    "a_client_that_speaks_nonsense_hurts_no_other",
    "headers_at_the_limit_hurt_no_other",
    "many_headers_hurt_no_other",
];

/// Checks of what one connection bears that carries the work of many.
const SHARED: [&str; 11] = [
    "codes_of_a_client_reach_the_server",
    "many_bodies_of_single_bytes_arrive_at_once",
    "long_uploads_of_single_bytes_arrive",
    "thirty_streams_that_are_not_read_hurt_no_other_client",
    "thirty_uploads_that_are_not_read_hurt_no_other_client",
    "small_messages_that_are_not_read_hurt_no_other_client",
    "a_server_that_flushes_without_data_is_borne_with",
    "a_client_that_flushes_without_data_is_borne_with",
    "clients_that_soon_cancel_what_they_asked_for_hurt_no_other",
    "a_client_that_leaves_many_requests_behind_hurts_no_other",
    "a_server_that_lies_often_fails_those_answers_alone",
];

fn line<'a>(python: &'a str, client: &'a str, server: &'a str, checks: &[&'a str]) -> Vec<&'a str> {
    [&[python, client, server, "8080"], checks].concat()
}

fn all_held(mut client: Command, checks: &[&str], between: &str) {
    let output = client.output().expect("python");
    let told = String::from_utf8_lossy(&output.stdout);
    let held: Vec<&str> = told.lines().filter_map(|line| line.strip_suffix(" held")).collect();
    assert_eq!(held, checks, "{between}:\n{told}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn streams_end_as_they_were_ended_and_hurt_no_other() {
    // Streams toward this one begin with a small window.
    let six = server("six", &["1000"]).service("ipFamilies", json!(["IPv6"]));
    let servers = [declared("cart"), declared("called"), six, server("plain", &[]).unmeshed(), outside()];
    let mesh = Mesh::up(&manifests(&servers));
    for pod in ["cart-0", "called-0", "six-0", "plain-0", "outside-0"] {
        mesh.ready(pod);
    }
    let (python, client) = (&python(), &script("http2/client.py"));
    thread::scope(|scope| {
        for server in ["cart", "six", "plain"] {
            let command = mesh.command(&format!("to-{server}"), &line(python, client, server, &CHECKS));
            scope.spawn(move || all_held(command, &CHECKS, &format!("from a meshed pod to {server}")));
        }
        let command = mesh.inside("outside-0", &line(python, client, "called", &CHECKS));
        scope.spawn(move || all_held(command, &CHECKS, "from a pod without a sidecar"));
    });
}

#[test]
fn one_connection_carries_the_work_of_many_and_none_pays_for_another() {
    let mesh = Mesh::up(&manifests([&declared("cart"), &declared("called"), &outside()]));
    for pod in ["cart-0", "called-0", "outside-0"] {
        mesh.ready(pod);
    }
    let (python, client) = (&python(), &script("http2/client.py"));
    let meshed = mesh.command("web", &line(python, client, "cart", &SHARED));
    let stranger = mesh.inside("outside-0", &line(python, client, "called", &SHARED));
    thread::scope(|scope| {
        scope.spawn(|| all_held(meshed, &SHARED, "from a meshed pod"));
        scope.spawn(|| all_held(stranger, &SHARED, "from a pod without a sidecar"));
    });
}

#[test]
fn a_sidecar_that_leaves_says_goodbye_and_ends_what_it_has_begun() {
    let mesh = Mesh::up(&manifests([&declared("cart"), &outside()]));
    mesh.ready("cart-0");
    mesh.ready("outside-0");
    let (python, client) = (&python(), &script("http2/client.py"));
    let check = |name| [python, client, "cart", "8080", name];
    let mut clients = [
        mesh.command("web", &check("an_open_stream_outlives_its_servers_leaving")),
        mesh.inside("outside-0", &check("a_leaving_sidecar_says_goodbye")),
    ]
    .map(|mut command| command.stdout(Stdio::piped()).spawn().expect("python"));
    let told = clients.each_mut().map(|client| BufReader::new(client.stdout.take().expect("what it says")));
    let told = told.map(|mut told| {
        let mut line = String::new();
        told.read_line(&mut line).expect("a line");
        assert_eq!(line, "open\n");
        told
    });
    mesh.sidecar("cart-0").terminate();
    for mut told in told {
        let mut line = String::new();
        told.read_to_string(&mut line).expect("the rest");
        assert!(line.ends_with(" held\n"), "{line}");
    }
    for client in &mut clients {
        client.wait().expect("it ends");
    }
}
