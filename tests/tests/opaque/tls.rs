//! TLS of the apps' own: it goes through unharmed, and with it the name and the protocol it asks for.

use tests::{App, Mesh, both, manifests, outside, ways};

use crate::certificate::certificate;

#[test]
fn an_apps_own_tls_keeps_its_certificate_name_and_protocol() {
    // Lines come back reversed; the second certificate is for those who ask for its name.
    let options = ["s_server", "-accept", "4433", "-rev", "-cert", "one.pem", "-cert2", "two.pem", "-servername", "two.example"];
    let server = ["openssl"].into_iter().chain(options).chain(["-alpn", "h2,http/1.1"]).collect::<Vec<_>>();
    let apps = both("vault", |name| App::new(name, 4433, &server));
    let (one, two) = (certificate(&["one.example"]), certificate(&["two.example"]));
    let mesh = Mesh::up_with(&manifests(apps.iter().chain([&outside()])), &[("one.pem", &one), ("two.pem", &two)]);
    for pod in ["vault-0", "plain-vault-0", "outside-0"] {
        mesh.ready(pod);
    }
    for (world, family) in ways() {
        // s_server forgets about protocols once it takes its second certificate.
        for (name, file, offer, agreed) in [
            ("one.example", "one", "h2,http/1.1", "ALPN protocol: h2\n"),
            ("one.example", "one", "http/1.1", "ALPN protocol: http/1.1\n"),
            ("two.example", "two", "h2", "No ALPN negotiated\n"),
        ] {
            let ca = mesh.folder().join(format!("{file}.pem"));
            let call = format!(
                "printf 'hello\\nCLOSE\\n' | timeout 10 openssl s_client -{family} -connect {}:4433 -servername {name} -alpn {offer} \
                 -CAfile {} -verify_return_error -verify_hostname {name} -ign_eof",
                world.host("vault"),
                ca.display()
            );
            let told = world.call(&mesh, &["sh", "-c", &call]);
            for expected in ["New, TLSv1.3,", "Verify return code: 0 (ok)", &format!("subject=CN = {name}\n"), agreed, "olleh\n"]
            {
                assert!(told.contains(expected), "{world}, IPv{family}: no `{}` in {told}", expected.trim());
            }
        }
    } // Called by its address alone, a server is known by the name that its client asks for.
    let address = mesh.succeed_inside("outside-0", &["sh", "-c", "getent ahostsv4 plain-vault | cut -d' ' -f1 | head -1"]);
    let call = format!(
        "printf 'CLOSE\\n' | timeout 10 openssl s_client -connect {}:4433 -servername one.example -ign_eof >/dev/null 2>&1; \
         curl -s http://127.0.0.1:17003/metrics",
        address.trim()
    );
    let told = mesh.succeed("web", &["sh", "-c", &call]);
    let known = |line: &str| line.starts_with("weft_tcp_connections_opened_total") && line.contains("service=\"one.example\"");
    assert!(told.lines().any(known), "{told}");
}
