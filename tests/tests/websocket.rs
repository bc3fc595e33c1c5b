//! Connections and streams that become something else: WebSocket over HTTP/1.1 and HTTP/2, other upgrades, CONNECT.

use tests::{App, Mesh, World, both, manifests, outside, python, script, ways};

const PORT: &str = "9000";

/// The same program in both kinds of pod.
fn up(program: &str) -> Mesh {
    let (python, program) = (python(), script(&format!("websocket/{program}")));
    let apps = both("app", |name| App::new(name, 9000, &[&python, "-u", &program]));
    let mesh = Mesh::up(&manifests(apps.iter().chain([&outside()])));
    for pod in ["app-0", "plain-app-0", "outside-0"] {
        mesh.ready(pod);
    }
    mesh
}

/// Where the program is, seen by a client.
fn address(mesh: &Mesh, world: World, family: &str) -> String {
    let told = world.call(mesh, &["getent", &format!("ahostsv{family}"), &world.host("app")]);
    told.split_whitespace().next().expect("an address").to_owned()
}

#[test]
fn websockets_carry_messages_of_every_shape() {
    let mesh = up("echo.py");
    for (world, family) in ways() {
        let address = address(&mesh, world, family);
        let url = if family == "6" { format!("ws://[{address}]:{PORT}/chat") } else { format!("ws://{address}:{PORT}/chat") };
        let told = world.call(&mesh, &[&python(), &script("websocket/cases.py"), &url]);
        assert_eq!(told, "126 cases\n", "{world}, IPv{family}");
    }
}

#[test]
fn websockets_over_http2_reach_apps_of_either_version() {
    for (program, version) in [("echo.py", "1.1"), ("http2_echo.py", "2")] {
        let mesh = up(program);
        // Without a sidecar nobody translates.
        for (world, family) in ways().filter(|(world, _)| world.sidecars().next().is_some()) {
            let address = address(&mesh, world, family);
            let told = world.call(&mesh, &[&python(), &script("websocket/http2_client.py"), &address, PORT]);
            assert_eq!(told, format!("5 sockets over {version}\n"), "{program}: {world}, IPv{family}");
        }
    }
}

#[test]
fn other_upgrades_and_connect_switch_too() {
    let mesh = up("other.py");
    for (world, family) in ways() {
        let address = address(&mesh, world, family);
        let mut call = vec![python(), script("websocket/other.py"), address, String::from(PORT)];
        call.extend(world.sidecars().map(String::from));
        let told = world.call(&mesh, &call.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(told, "7 switches\n", "{world}, IPv{family}");
    }
}
