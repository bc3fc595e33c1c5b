//! HTTP/1.1 in every shape, byte by byte: between every kind of pod, on both versions of IP. What works without a mesh works
//! through one.

use tests::{App, Mesh, both, manifests, outside, script, ways};

#[test]
fn every_shape_of_a_message_arrives_as_it_left() {
    let server = script("http1/server.py");
    let mesh =
        Mesh::up(&manifests(both("app", |name| App::new(name, 8080, &["python3", "-u", &server])).iter().chain([&outside()])));
    for pod in ["app-0", "plain-app-0", "outside-0"] {
        mesh.ready(pod);
    }
    let client = script("http1/client.py");
    let mut wrong = String::new();
    for (world, family) in ways() {
        let host = world.host("app");
        let mut call = vec!["python3", &client, &host, family];
        call.extend(world.sidecars());
        let told = world.call(&mesh, &call);
        if !told.ends_with(" cases, 0 wrong\n") {
            wrong += &format!("{world}, IPv{family}:\n{told}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
