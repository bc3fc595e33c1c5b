//! What becomes of requests when those who should answer do not, through sidecars.

use std::{collections::BTreeSet, fs};

use tests::{App, Mesh, eventually, manifests, python, script};

/// A mesh whose apps fail as they are asked to, and write down what they were asked.
struct Shop {
    mesh: Mesh,
    notes: tempfile::TempDir,
}

/// A request as an app saw it.
#[derive(Clone, Debug)]
struct Asked {
    id: String,
    seconds: f64,
    app: String,
    length: usize,
}

impl Shop {
    /// The service `cart` before so many apps, another before each, and what `more` says.
    fn with(apps: usize, more: &str) -> Self {
        let notes = tempfile::tempdir().expect("a folder for notes");
        let names: Vec<String> = (1..=apps).map(|number| format!("v{number}")).collect();
        let asked = notes.path().join("asked").display().to_string();
        fs::write(&asked, "").expect("the notes");
        let app = |name: &String| {
            let command = [&python(), &script("failing.py"), "8080", name, &asked];
            App::new(name, 8080, &command).ports(serde_json::json!([{"port": 80, "targetPort": 8080}]))
        };
        let apps: Vec<App> = names.iter().map(app).collect();
        let mut text = manifests(&apps).replace(r#""labels":{"app":"#, r#""labels":{"cart":"yes","app":"#);
        let spec = serde_json::json!({"selector": {"cart": "yes"}, "ports": [{"port": 80, "targetPort": 8080, "name": "http"}]});
        text += &tests::service("cart", &spec);
        text += more;
        let mesh = Mesh::up(&text);
        names.iter().for_each(|name| mesh.ready(&format!("{name}-0")));
        Self { mesh, notes }
    }

    /// The status of a call, and whatever was said with it.
    fn call(&self, target: &str, more: &[&str]) -> String {
        let url = format!("http://cart{target}");
        let command = [&["curl", "-s", "-m", "20", "-w", "%{http_code}", &url][..], more].concat();
        let said = self.mesh.run("client", &command).stdout;
        let said = String::from_utf8(said).expect("text");
        let (body, status) = said.split_at(said.len() - 3);
        format!("{status} {}", body.trim())
    }

    fn asked(&self) -> Vec<Asked> {
        let text = fs::read_to_string(self.notes.path().join("asked")).expect("the notes");
        let line = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            let mut word = || words.next().expect("a word");
            Asked { id: word(), seconds: word().parse().expect("a time"), app: word(), length: word().parse().expect("a length") }
        };
        text.lines().map(line).collect()
    }

    fn asked_for(&self, id: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.id == id).collect()
    }
}

fn route(rules: &str) -> String {
    format!(
        r#"
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: cart, namespace: shop}}
spec:
  parentRefs: [{{group: "", kind: Service, name: cart, port: 80}}]
  rules:
{rules}"#
    )
}

/// Requests below `/again` are tried up to three times.
const RETRIED: &str = r#"
  - matches: [{path: {value: /again}}]
    retry: {codes: [503], attempts: 2, backoff: 100ms}
    timeouts: {backendRequest: 1s}
    backendRefs: [{name: cart, port: 80}]
  - matches: [{path: {value: /once}}]
    backendRefs: [{name: cart, port: 80}]
"#;

#[test]
fn a_request_is_tried_again_as_its_route_says_and_no_more() {
    let shop = Shop::with(3, &route(RETRIED));
    for (id, query, status, times) in [
        ("status", "do=503&times=1", "200", 2),
        ("twice", "do=503&times=2", "200", 3),
        ("always", "do=503&times=9", "503", 3),
        ("another-status", "do=500&times=1", "500", 1),
        ("reset", "do=reset&times=1", "200", 2),
        ("too-slow", "do=hang&times=1", "200", 2),
    ] {
        // What has a body is never sent again on its own account, as a GET is when a kept line was closed.
        let told = shop.call(&format!("/again?id={id}&{query}"), &["-d", "x"]);
        let asked = shop.asked_for(id);
        assert!(told.starts_with(status) && asked.len() == times, "{id}: {told}, {asked:?}");
        let apps: BTreeSet<&str> = asked.iter().map(|asked| &*asked.app).collect();
        assert_eq!(apps.len(), times, "{id}: each try goes elsewhere while there is another place");
        let waits = asked.windows(2).map(|pair| pair[1].seconds - pair[0].seconds);
        assert!(waits.clone().all(|wait| wait >= 0.1), "{id}: {:?}", waits.collect::<Vec<_>>());
    }
    for (id, query) in [("once-status", "do=503"), ("once-reset", "do=reset")] {
        let told = shop.call(&format!("/once?id={id}&{query}"), &["-d", "x"]);
        assert!(told.starts_with("50") && shop.asked_for(id).len() == 1, "{id}: {told}");
    }
}

#[test]
fn a_body_goes_again_when_it_is_small_enough_to_keep() {
    let shop = Shop::with(2, &route(RETRIED));
    let body = |length: usize| {
        let path = shop.notes.path().join(format!("body-{length}"));
        fs::write(&path, "x".repeat(length)).expect("a body");
        format!("@{}", path.display())
    };
    let told = shop.call("/again?id=small&do=503", &["--data-binary", &body(60_000)]);
    let lengths: Vec<usize> = shop.asked_for("small").iter().map(|asked| asked.length).collect();
    assert!(told.starts_with("200") && lengths == [60_000, 60_000], "{told} {lengths:?}");
    let told = shop.call("/again?id=large&do=503", &["--data-binary", &body(200_000)]);
    let lengths: Vec<usize> = shop.asked_for("large").iter().map(|asked| asked.length).collect();
    assert!(told.starts_with("503") && lengths == [200_000], "{told} {lengths:?}");
}

#[test]
fn where_everybody_fails_no_more_than_a_fifth_is_tried_again() {
    let shop = Shop::with(5, &route(RETRIED));
    // 300 requests a second.
    let load =
        "h2load --h1 -c 4 -n 1800 --rps 75 'http://cart/again?do=503&times=9999999' && curl -s http://127.0.0.1:17003/metrics";
    let told = shop.mesh.succeed("storm", &["sh", "-c", load]);
    assert!(told.contains("1800 5xx"), "{told}");
    let reached = shop.asked().len();
    assert!((1801..=1800 * 12 / 10).contains(&reached), "{reached} of 1800 requests reached the endpoints");
    let counted = |outcome: &str| {
        let name = format!("weft_extra_requests_total{{kind=\"retry\",outcome=\"{outcome}\"}} ");
        told.lines().find_map(|line| line.strip_prefix(&name)?.parse::<usize>().ok()).expect("a number")
    };
    assert_eq!(counted("sent"), reached - 1800);
    assert!(counted("withheld") >= 1800 * 7 / 10, "{told}");
}

/// Copies of requests go to `v2` alone; what they ask for goes to `v1`.
const MIRRORED: &str = r#"
  - matches: [{path: {value: /half}}]
    filters: [{type: RequestMirror, requestMirror: {backendRef: {name: v2, port: 80}, percent: 50}}]
    backendRefs: [{name: v1, port: 80}]
  - matches: [{path: {value: /gone}}]
    filters: [{type: RequestMirror, requestMirror: {backendRef: {name: nobody, port: 80}}}]
    backendRefs: [{name: v1, port: 80}]
  - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: v2, port: 80}}}]
    backendRefs: [{name: v1, port: 80}]
"#;

#[test]
fn whatever_becomes_of_a_copy_the_original_does_not_notice() {
    let shop = Shop::with(2, &route(MIRRORED));
    let of = |id: &str, app: &str| shop.asked_for(id).into_iter().filter(|asked| asked.app == app).collect::<Vec<_>>();
    let path = shop.notes.path().join("body");
    fs::write(&path, "x".repeat(30_000)).expect("a body");
    let told = shop.call("/all?id=body", &["--data-binary", &format!("@{}", path.display())]);
    assert_eq!(told, "200 v1 cart");
    eventually("the copy has arrived", || (of("body", "v2").first()?.length == 30_000).then_some(()));
    for (id, query) in [("status", "do=503"), ("reset", "do=reset"), ("hang", "do=hang"), ("slow", "do=slow:2000")] {
        let told = shop.call(&format!("/all?id={id}&{query}&times=9&only=v2"), &["-m", "1"]);
        assert_eq!(told, "200 v1 cart", "{id}");
        eventually("the copy has arrived", || (!of(id, "v2").is_empty()).then_some(()));
    }
    assert_eq!(shop.call("/gone?id=gone", &[]), "200 v1 cart");
    let said = shop.mesh.succeed(
        "half",
        &["curl", "-s", "-m", "60", "-o", "/dev/null", "-w", "%{http_code}\n", "http://cart/half?id=half&n=[1-600]"],
    );
    assert!(said.lines().all(|status| status == "200") && said.lines().count() == 600, "{said}");
    assert_eq!(of("half", "v1").len(), 600);
    eventually("half of the copies have arrived", || (of("half", "v2").len().abs_diff(300) < 75).then_some(()));
}

/// Each path is a rule of its own, with a policy of its own.
const CONDITIONS: [(&str, &str); 8] = [
    ("reset", "retries: {attempts: 1, retryOn: [reset]}"),
    ("five", "retries: {attempts: 1, retryOn: [5xx]}"),
    ("gateway", "retries: {attempts: 1, retryOn: [gateway-error]}"),
    ("codes", "retries: {attempts: 1, codes: [429], backoff: {base: 300ms, max: 400ms}}"),
    ("grpc", "retries: {attempts: 1, grpc: [unavailable]}"),
    ("body", "retries: {attempts: 1, retryOn: [5xx], bodyMax: 256Ki}"),
    ("hedge", "hedging: {after: 100ms, attempts: 1}"),
    ("idle", "timeouts: {idle: 500ms}"),
];

fn policies() -> String {
    let rule = |(name, _): &(&str, &str)| {
        format!("  - {{name: {name}, matches: [{{path: {{value: /{name}}}}}], backendRefs: [{{name: cart, port: 80}}]}}\n")
    };
    let policy = |(name, said): &(&str, &str)| {
        format!(
            r#"
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: {{name: {name}, namespace: shop}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: cart, sectionName: {name}}}]
  {said}
"#
        )
    };
    route(&CONDITIONS.iter().map(rule).collect::<String>()) + &CONDITIONS.iter().map(policy).collect::<String>()
}

#[test]
fn every_condition_of_a_policy_is_told_from_the_others() {
    let shop = Shop::with(2, &policies());
    for (path, what, status, times) in [
        ("reset", "reset", "200", 2),
        ("reset", "503", "503", 1),
        ("five", "500", "200", 2),
        ("five", "reset", "200", 2),
        ("five", "404", "404", 1),
        ("gateway", "504", "200", 2),
        ("gateway", "500", "500", 1),
        ("codes", "429", "200", 2),
        ("codes", "503", "503", 1),
        ("grpc", "grpc:14", "200", 2),
        ("grpc", "grpc:3", "200", 1),
    ] {
        let id = format!("{path}-{what}");
        let told = shop.call(&format!("/{path}?id={id}&do={what}"), &[]);
        let asked = shop.asked_for(&id);
        assert!(told.starts_with(status) && asked.len() == times, "{id}: {told}, {asked:?}");
        if let ("codes", [first, second]) = (path, &asked[..]) {
            assert!(second.seconds - first.seconds >= 0.3, "{asked:?}");
        }
    }
    let path = shop.notes.path().join("body");
    fs::write(&path, "x".repeat(200_000)).expect("a body");
    let told = shop.call("/body?id=body&do=503", &["--data-binary", &format!("@{}", path.display())]);
    let lengths: Vec<usize> = shop.asked_for("body").iter().map(|asked| asked.length).collect();
    assert!(told.starts_with("200") && lengths == [200_000, 200_000], "{told} {lengths:?}");
}

#[test]
fn a_second_endpoint_is_asked_while_the_first_is_silent_and_only_what_may_be_asked_twice() {
    let shop = Shop::with(2, &policies());
    let told = shop.call("/hedge?id=get&do=hang", &["-m", "5"]);
    let asked = shop.asked_for("get");
    assert!(told.starts_with("200") && asked.len() == 2, "{told}, {asked:?}");
    assert!(asked[0].app != asked[1].app && asked[1].seconds - asked[0].seconds >= 0.08, "{asked:?}");
    let told = shop.call("/hedge?id=put&do=hang", &["-m", "5", "-X", "PUT", "-d", "x"]);
    assert!(told.starts_with("200") && shop.asked_for("put").len() == 2, "{told}");
    let told = shop.call("/hedge?id=post&do=slow:1000", &["-m", "5", "-d", "x"]);
    assert!(told.starts_with("200") && shop.asked_for("post").len() == 1, "{told}");
}

#[test]
fn what_stands_still_is_ended_and_what_moves_is_not() {
    let shop = Shop::with(1, &policies());
    let told = shop.call("/idle?id=hang&do=hang", &["-D", "-"]);
    assert!(told.starts_with("504") && told.contains("weft-reason: idle_timeout"), "{told}");
    let told = shop.call("/idle?id=slow&do=slow:200", &[]);
    assert!(told.starts_with("200"), "{told}");
}

/// Nothing is said of how long an attempt may take.
const IMPATIENT: &str = r#"
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: cart, namespace: shop}
spec:
  targetRefs: [{group: "", kind: Service, name: cart}]
  balancer: {type: RoundRobin}
  timeouts: {request: 300ms}
  outliers: {consecutiveFailures: 2, ejection: 60s}
"#;

#[test]
fn whoever_only_hangs_is_put_out_by_the_time_of_requests() {
    let shop = Shop::with(3, IMPATIENT);
    let calls = "curl -s -m 20 -o /dev/null -w '%{http_code}\n' 'http://cart/?do=hang&only=v2&call=[1-30]'";
    let told = shop.mesh.succeed("client", &["sh", "-c", calls]);
    let late = told.lines().filter(|status| *status == "504").count();
    let answered = told.lines().filter(|status| *status == "200").count();
    // Each worker of the sidecar finds out for itself.
    assert!((2..=6).contains(&late) && late + answered == 30, "{late} of 30: {told}");
}

/// The service as a whole, and a budget of its own.
const STINGY: &str = r#"
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: cart, namespace: shop}
spec:
  targetRefs: [{group: "", kind: Service, name: cart}]
  retries: {attempts: 1, retryOn: [5xx], backoff: {base: 1ms, max: 1ms}}
  retryBudget: {percent: 0, interval: 10s, perSecond: 1}
"#;

#[test]
fn a_policy_of_a_service_needs_no_route_and_its_budget_counts() {
    let shop = Shop::with(2, STINGY);
    let load = "h2load --h1 -c 1 -n 200 --rps 100 'http://cart/?do=503&times=9999999'";
    let told = shop.mesh.succeed("storm", &["sh", "-c", load]);
    assert!(told.contains("200 5xx"), "{told}");
    // The load takes two seconds, and on a busy machine no more than ten.
    let reached = shop.asked().len();
    assert!((202..=210).contains(&reached), "one a second more than 200, and not {reached}");
}
