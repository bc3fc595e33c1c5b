//! Many connections: one after another, and at once.

use tests::{App, Mesh, WORLDS, both, manifests, outside, script};

#[test]
fn short_connections_come_by_the_thousand_and_by_the_hundred_at_once() {
    let greeter = script("greeter.py");
    let apps = both("mail", |name| App::new(name, 2525, &["python3", &greeter]));
    let mesh = Mesh::up(&manifests(apps.iter().chain([&outside()])));
    for pod in ["mail-0", "plain-mail-0", "outside-0"] {
        mesh.ready(pod);
    }
    for world in WORLDS {
        // The worlds beside the mesh share its code, and one of them waits 30 ms for every greeting.
        let one_after_another = if world.is_meshed() { "2000" } else { "200" };
        let told = world.call(&mesh, &["python3", &script("many.py"), &world.host("mail"), one_after_another, "200"]);
        assert_eq!(told, format!("{one_after_another} and 200\n"), "{world}");
    }
}
