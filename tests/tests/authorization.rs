//! Who may do what, through sidecars.

use std::collections::BTreeMap;

use tests::{App, Mesh, manifests};

/// Behind port 81 it speaks HTTP/2, which is declared to be no HTTP: nobody reads it.
fn echo() -> App {
    tests::echo("echo").ports(serde_json::json!([
        {"name": "http", "port": 80, "targetPort": 8080},
        {"name": "tcp-opaque", "port": 81, "targetPort": 8081},
    ]))
}

fn policy(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: weft.dev/v1alpha1\nkind: AuthorizationPolicy\nmetadata: {{name: {name}, namespace: shop}}\nspec: {spec}\n"
    )
}

fn text(policies: &[String]) -> String {
    manifests([&echo()]) + &policies.concat()
}

fn mesh(policies: &[String]) -> Mesh {
    let mesh = Mesh::up_with(&text(policies), &[tests::ECHO_FILE]);
    mesh.ready("echo-0");
    mesh
}

/// What `client` is answered: the status, and the mesh's reason if it was the mesh that answered.
fn asked(mesh: &Mesh, client: &str, path: &str, more: &[&str]) -> String {
    let url = format!("http://echo{path}");
    let curl = ["curl", "-s", "-m", "10", "-o", "/dev/null", "--path-as-is", "-w", "%{http_code} %header{weft-reason}", &url];
    mesh.succeed(client, &[&curl[..], more].concat()).trim().to_owned()
}

/// Whether a connection of `client` to the opaque port comes through.
fn connects(mesh: &Mesh, client: &str) -> bool {
    mesh.run(client, &["curl", "-s", "-m", "10", "--http2-prior-knowledge", "http://echo:81/"]).status.success()
}

const LET: &str = "200";
const KEPT: &str = "403 denied";

#[test]
fn callers_are_let_in_by_who_they_are_and_what_they_ask() {
    let allow = policy(
        "readers",
        r#"{selector: {matchLabels: {app: echo}}, rules: [
          {from: [{source: {serviceAccounts: [web]}}], to: [{operation: {methods: [GET], paths: ["/public/*", "/cart/{*}/items"]}}]},
          {from: [{source: {principals: ["*/sa/admin"]}}]}]}"#,
    );
    let mesh = mesh(&[allow]);
    for (client, path, more, expected) in [
        ("web", "/public/a", &[][..], LET),
        ("web", "/cart/7/items", &[], LET),
        ("web", "/cart/7/8/items", &[], KEPT),
        ("web", "/public/a", &["-X", "DELETE"], KEPT),
        ("web", "/private", &[], KEPT),
        ("web", "/public/../private", &[], KEPT),
        ("web", "/public/..%2fprivate", &[], KEPT),
        ("web", "/public/..;/private", &[], KEPT),
        ("web", "/public/%252e%252e/private", &[], KEPT),
        ("web", "/public/a%00", &[], KEPT),
        ("web", "/PUBLIC/a", &[], KEPT),
        ("admin", "/private", &["-X", "DELETE"], LET),
        ("till", "/public/a", &[], KEPT),
    ] {
        assert_eq!(asked(&mesh, client, path, more), expected, "{client} {path} {more:?}");
    }
    assert_eq!((connects(&mesh, "web"), connects(&mesh, "admin")), (false, true), "of a connection nobody knows what is asked");
}

#[test]
fn what_is_denied_is_denied_whatever_else_lets_in_and_changes_at_once() {
    let everybody = policy("everybody", "{rules: [{}]}");
    let deny = policy(
        "no-admin",
        r#"{action: DENY, rules: [
          {to: [{operation: {paths: ["/admin*"]}}], from: [{source: {notServiceAccounts: [admin]}}]},
          {when: [{key: "request.headers[x-role]", values: [guest]}], to: [{operation: {ports: ["8080"]}}]}]}"#,
    );
    let mesh = mesh(&[everybody.clone(), deny]);
    for (client, path, more, expected) in [
        ("web", "/", &[][..], LET),
        ("web", "/admin", &[], KEPT),
        ("web", "//admin", &[], KEPT),
        ("web", "/Admin", &[], KEPT),
        ("web", "/%61dmin", &[], KEPT),
        ("web", "/x/../admin", &[], KEPT),
        ("admin", "/admin", &[], LET),
        ("admin", "/", &["-H", "x-role: guest"], KEPT),
        ("admin", "/", &["-H", "x-role: user", "-H", "x-role: guest"], KEPT),
    ] {
        assert_eq!(asked(&mesh, client, path, more), expected, "{client} {path} {more:?}");
    }
    mesh.edit(&text(&[everybody]));
    tests::eventually("nothing is denied any more", || (asked(&mesh, "web", "/admin", &[]) == LET).then_some(()));
    mesh.edit(&text(&[policy("nobody", "{}")]));
    tests::eventually("nobody is let in any more", || (asked(&mesh, "web", "/", &[]) == KEPT).then_some(()));
}

#[test]
fn a_policy_for_a_port_of_a_service_leaves_the_others_alone() {
    let opaque = r#"{targetRefs: [{kind: Service, name: echo, sectionName: tcp-opaque}], rules: [{from: [{source: {serviceAccounts: [web]}}]}]}"#;
    let mesh = mesh(&[policy("opaque", opaque)]);
    assert_eq!((connects(&mesh, "web"), connects(&mesh, "till")), (true, false));
    assert_eq!(asked(&mesh, "till", "/", &[]), LET);
}

#[test]
fn who_is_kept_out_is_told_a_decision_that_the_server_side_explains() {
    let audit = policy("who-asks", r#"{action: AUDIT, rules: [{to: [{operation: {methods: [GET]}}]}]}"#);
    let deny = policy("no-till", r#"{action: DENY, rules: [{from: [{source: {serviceAccounts: [till]}}]}]}"#);
    let mesh = mesh(&[audit, deny]);
    assert_eq!(asked(&mesh, "web", "/", &[]), LET);
    let answer = mesh.succeed("till", &["curl", "-s", "-m", "10", "http://echo/"]);
    let decision = answer.split_once("(decision ").and_then(|(_, rest)| rest.split(')').next());
    let decision = decision.unwrap_or_else(|| panic!("{answer}"));
    assert!(decision.len() == 16 && !answer.contains("no-till"), "{answer}");
    mesh.says(decision);
    let line = mesh.log().lines().find(|line| line.contains(decision)).map(str::to_owned).expect("it is there");
    assert!(line.contains("shop/no-till[0]") && line.contains("/sa/till"), "{line}");
    let counted = metrics(&mesh);
    let of = |rule: &str, outcome: &str| counted.get(&format!("{{rule=\"{rule}\",outcome=\"{outcome}\"}}")).copied();
    assert_eq!((of("shop/no-till[0]", "denied"), of("shop/who-asks[0]", "audited")), (Some(1.0), Some(2.0)), "{counted:?}");
}

/// What the sidecar of `echo-0` has counted of rules, by their labels.
fn metrics(mesh: &Mesh) -> BTreeMap<String, f64> {
    let script = r#"
curl -s -o /dev/null http://echo/
pod=$(curl -s http://127.0.0.1:17003/config | python3 -c 'import json, sys; print(json.load(sys.stdin)["destinations"][0]["clusters"][0]["endpoints"][0]["address"].split(":")[0])')
curl -s "http://$pod:17003/metrics""#;
    let said = mesh.succeed("reader", &["sh", "-c", script]);
    let lines = said.lines().filter_map(|line| line.strip_prefix("weft_authorization_total")?.rsplit_once(' '));
    lines.map(|(labels, value)| (labels.to_owned(), value.parse().expect("a number"))).collect()
}

#[test]
fn mistakes_are_told_with_their_lines_and_what_was_said_before_stays_in_force() {
    let mesh = mesh(&[policy("nobody", "{}")]);
    let wrong = r#"
  action: MAYBE
  rules:
  - from: [{source: {principals: ["a*b"], remoteIpBlocks: ["10.0.0.0/8"]}}]
  - to: [{operation: {ports: [http]}}]"#;
    mesh.edit(&text(&[policy("nobody", wrong)]));
    for mistake in [
        "spec.action",
        "spec.rules[0].from[0].source.principals[0]",
        "spec.rules[0].from[0].source.remoteIpBlocks",
        "spec.rules[1].to[0].operation.ports[0]",
    ] {
        mesh.says(mistake);
    }
    assert_eq!(asked(&mesh, "web", "/", &[]), KEPT);
}
