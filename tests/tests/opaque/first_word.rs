//! Who speaks first, and when the other side hears it.

use tests::{App, Mesh, WORLDS, World, both, manifests, outside, script};

use crate::asker::Asker;

/// How often each world is asked.
const TIMES: usize = 30;

/// What a mesh may add to the wait for the first byte. On an idle machine it adds a few milliseconds.
const SLACK_MILLISECONDS: f64 = 50.0;

#[test]
fn a_server_that_speaks_first_is_heard_at_once() {
    let greeter = script("greeter.py");
    let apps = both("mail", |name| App::new(name, 2525, &["python3", &greeter]));
    let mesh = Mesh::up(&manifests(apps.iter().chain([&outside()])));
    for pod in ["mail-0", "plain-mail-0", "outside-0"] {
        mesh.ready(pod);
    }
    let asker = |world: World| {
        let host = world.host("mail");
        Asker::new(world.command(&mesh, &format!("asker-of-{host}"), &["python3", &script("greeted.py"), &host]))
    };
    let mut askers: Vec<Asker> = WORLDS.into_iter().map(asker).collect();
    for asker in &mut askers {
        // The first one opens the way: a mesh handshake is not what is measured here.
        asker.ask_number();
    }
    let mut waits = vec![Vec::new(); askers.len()];
    for _ in 0..TIMES {
        for (asker, waits) in askers.iter_mut().zip(&mut waits) {
            waits.push(asker.ask_number());
        }
    }
    let medians: Vec<f64> = waits.into_iter().map(median).collect();
    let (direct, meshed) = medians.split_last().expect("four worlds");
    for (world, wait) in WORLDS.into_iter().zip(meshed) {
        println!("{world}: {wait:.2} ms instead of {direct:.2} ms");
        assert!(wait - direct < SLACK_MILLISECONDS, "{world}: {wait:.2} ms instead of {direct:.2} ms");
    }
}

#[test]
fn a_client_whose_first_word_has_no_end_of_line_is_heard() {
    // It might become the method of a request, and the server says nothing before it has heard it.
    let word = script("word.py");
    let apps = both("debugger", |name| App::new(name, 5005, &["python3", "-u", &word, "serve"]));
    let mesh = Mesh::up(&manifests(apps.iter().chain([&outside()])));
    for pod in ["debugger-0", "plain-debugger-0", "outside-0"] {
        mesh.ready(pod);
    }
    let told = WORLDS.map(|world| (world, world.call(&mesh, &["python3", &word, "call", &world.host("debugger"), "4"])));
    let silent: Vec<String> =
        told.iter().filter(|(_, told)| told != "JDWP-Handshake\n").map(|(world, _)| world.to_string()).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
