//! FTP: files come and go by connections of their own, to addresses and ports that are told on the first one.

use serde_json::json;
use tests::{App, Mesh, World, manifests, outside, python, script, service, ways};

#[test]
fn files_come_and_go_where_one_side_has_no_sidecar() {
    files_come_and_go(|world| !world.is_meshed());
}

#[test]
fn files_come_and_go_between_two_sidecars() {
    files_come_and_go(World::is_meshed);
}

fn files_come_and_go(chosen: impl Fn(World) -> bool) {
    let (python, server) = (python(), script("ftp_server.py"));
    let mut apps = vec![outside()];
    let server = |name: &str| App::new(name, 2121, &[&python, &server]);
    apps.extend([server("files"), server("plain-files").unmeshed()]);
    // IPv6 has no passive mode that tells an address: the client calls the one again that it has called. So that must be the pod's.
    let pods = |name: &str| {
        let ports = json!([{"port": 2121}]);
        service(&format!("{name}-pods"), &json!({"clusterIP": "None", "selector": {"app": name}, "ports": ports}))
    };
    let mesh = Mesh::up(&[manifests(&apps), pods("files"), pods("plain-files")].concat());
    for pod in ["files-0", "plain-files-0", "outside-0"] {
        mesh.ready(pod);
    }
    for (world, family) in ways().filter(|(world, _)| chosen(*world)) {
        let service = world.host("files");
        let pods = format!("{service}-pods");
        for host in if family == "4" { vec![&service, &pods] } else { vec![&pods] } {
            let told = world.call(&mesh, &["python3", &script("ftp_client.py"), host, family]);
            assert_eq!(told, "passive whole\nactive whole\n", "{world}, IPv{family}, {host}");
        }
    }
}
