//! What is said of the manifests that control follows.

use std::fs;

use wire::names;

use crate::control::{CART, Control, WEB, endpoints, subscribe, until};

#[tokio::test]
async fn a_spoilt_file_keeps_what_it_said_and_holds_up_no_other() {
    let control = Control::start();
    let mut stream = control.discover(WEB, &control.web().await, endpoints()).await.unwrap();
    stream.next().await.unwrap();
    control.write("service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: cart, namespace: shop}\nspec:\n  portz: []\n");
    until("the problem to be counted", || control.metric("weft_control_manifest_problems") == Some(1.0)).await;
    assert!(control.page("/config").contains("service.yaml:5:3: unknown field `portz` (did you mean `ports`?)"));
    assert!(stream.is_silent().await, "the last good version stays in force");
    control.slice(&[CART, WEB]);
    assert_eq!(stream.next().await.unwrap().resources.len(), 1, "others are heard all the same");
    control.service("10.96.0.5");
    until("the problem to be mended", || control.metric("weft_control_manifest_problems") == Some(0.0)).await;
}

#[tokio::test]
async fn nobody_is_told_that_something_is_gone_before_everything_was_read() {
    let mut control = Control::start();
    let web = control.web().await;
    let state = control.folder.path().join("state");
    let away = control.folder.path().join("away");
    // A source that can be listed only later: a directory is looked for until it is there.
    fs::rename(&state, &away).unwrap();
    fs::create_dir(&state).unwrap();
    control.restart();
    let gone = control.discover(WEB, &web, endpoints()).await;
    assert!(gone.is_err(), "an empty source was read, and holds no pod");
    fs::remove_dir(&state).unwrap();
    fs::rename(&away, &state).unwrap();
    until("the pods to be known", || control.metric("weft_control_objects{kind=\"Pod\"}") == Some(2.0)).await;
    let mut stream = control.discover(WEB, &web, subscribe(names::CLUSTER, &[crate::control::CLUSTER])).await.unwrap();
    assert_eq!(stream.next().await.unwrap().resources.len(), 1);
}

#[test]
fn the_dump_tells_no_secret() {
    let control = Control::start();
    let dump = control.page("/config");
    assert!(dump.contains("\"cart\"") && dump.contains("\"web-0\""), "{dump}");
    let manifest = fs::read_to_string(control.state("pod-web.yaml")).unwrap();
    let hash = manifest.split("sha256: ").nth(1).unwrap().split('}').next().unwrap();
    assert!(!dump.contains(hash) && !dump.contains("PRIVATE"), "{dump}");
}

#[test]
fn the_admin_port_tells_who_it_is_and_takes_odd_questions() {
    let control = Control::start();
    assert!(control.page("/live").contains("200 OK"));
    assert!(control.page("/nothing").contains("404"));
    assert!(control.page("/metrics").contains("weft_control_config_version"));
}
