//! With a sidecar and without one: who calls whom works, and telemetry says what was proved.

use tests::{Mesh, WORLDS, both, manifests, outside};

use crate::apps::{GREETED, METRICS, NGINX, get, greeter, hear, inside, nginx, series, sum};

const WEB: &str = "spiffe://cluster.local/ns/shop/sa/web";

#[test]
fn everybody_reaches_everybody_and_is_told_for_what_he_is() {
    let apps = [both("cart", nginx), both("mail", greeter)].concat();
    let mesh = Mesh::up_with(&manifests(apps.iter().chain([&outside()])), &[("nginx.conf", NGINX)]);
    for pod in ["cart-0", "plain-cart-0", "mail-0", "plain-mail-0", "outside-0"] {
        mesh.ready(pod);
    }
    for world in WORLDS {
        let (cart, mail) = (world.host("cart"), world.host("mail"));
        let mut ask = Vec::new();
        for family in ["4", "6"] {
            ask.push(get(&format!("-{family} http://{cart}:8080/")));
            ask.push(hear(&mail, 2525, family));
        }
        if world.meshes("web") {
            ask.push(String::from(METRICS));
        }
        let told = world.call(&mesh, &["sh", "-c", &ask.join("; ")]);
        let lines: Vec<&str> = told.lines().take(4).collect();
        assert!(lines[0].starts_with("nginx at ") && lines[2].starts_with("nginx at "), "{world}: {told}");
        assert!(lines[1] == GREETED.trim() && lines[3] == GREETED.trim(), "{world}: {told}");
        if world.meshes("web") {
            let (tls, cart_identity, mail_identity) = match world.is_meshed() {
                true => ("mutual", "spiffe://cluster.local/ns/shop/sa/cart", "spiffe://cluster.local/ns/shop/sa/mail"),
                false => ("none", "", ""),
            };
            let requests = "http_client_request_duration_seconds_count";
            let labels =
                [("server_workload", cart.as_str()), ("server_identity", cart_identity), ("service", &cart), ("tls", tls)];
            assert!((sum(&series(&told, requests, &labels)) - 2.0).abs() < 0.1, "{world}: {told}");
            let labels =
                [("server_workload", mail.as_str()), ("server_identity", mail_identity), ("service", &mail), ("tls", tls)];
            assert!((sum(&series(&told, "weft_tcp_connections_opened_total", &labels)) - 2.0).abs() < 0.1, "{world}: {told}");
        }
    }
    // What was called tells the same: who proved his name, and who did not.
    for (pod, name) in [("cart-0", "http_server_request_duration_seconds_count"), ("mail-0", "weft_tcp_connections_opened_total")]
    {
        let told = inside(&mesh, pod, &[String::from(METRICS)]);
        for (identity, tls) in [(WEB, "mutual"), ("", "none")] {
            let found = series(&told, name, &[("client_identity", identity), ("tls", tls)]);
            assert!((sum(&found) - 2.0).abs() < 0.1, "{pod}, `{identity}`: {told}");
        }
    }
}
