//! Servers that speak first: mail and messages.

use tests::{App, Mesh, both, manifests, outside, python, script, ways};

use crate::certificate::certificate;

#[test]
fn mail_and_messages_arrive_whole_in_every_world() {
    let (python, mail) = (python(), script("mail_server.py"));
    let certificate = certificate(&["mail", "plain-mail"]);
    let mut apps = vec![outside()];
    apps.extend(both("mail", |name| App::new(name, 2525, &[&python, &mail, "identity.pem"])));
    apps.extend(both("bus", |name| App::new(name, 4222, &["nats-server", "-a", "::", "-p", "4222"])));
    let mesh = Mesh::up_with(&manifests(&apps), &[("identity.pem", &certificate)]);
    for name in ["mail", "bus"] {
        mesh.ready(&format!("{name}-0"));
        mesh.ready(&format!("plain-{name}-0"));
    }
    mesh.ready("outside-0");
    let ca = mesh.folder().join("identity.pem").display().to_string();
    for (world, family) in ways() {
        let place = format!("{world}, IPv{family}");
        let told = world.call(&mesh, &["python3", &script("mail_client.py"), &world.host("mail"), family, &ca]);
        assert_eq!(told, "250 True open\n250 True sealed\n", "{place}");
        let told = world.call(&mesh, &["python3", &script("nats_client.py"), &world.host("bus"), family]);
        assert_eq!(told, "MSG answer 7 2 ok\nMSG answer 7 2 ok\n", "{place}");
        let url = format!("smtp://{}:2525/client.example", world.host("mail"));
        let (from, to) = ("a@client.example", "b@server.example");
        let family = format!("-{family}");
        let curl = ["curl", "-sS", &family, "--max-time", "10", "-T", &ca, "--mail-from", from, "--mail-rcpt", to, &url];
        world.call(&mesh, &curl);
    }
}
