//! Requests on their way through a worker, as their routes say.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread::{self, JoinHandle},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{StatusCode, uri::Scheme};

use super::*;
use crate::{
    accept::Door,
    config,
    connect::Dials,
    drain::{self, Trigger},
    events::{Direction, Registry},
    redirected::Redirected,
    snapshot::{
        self, Action, Admits, Answer as Known, Backend, Changes, Cluster, Forward, HeaderChanges, Match, PathMatch, PathRewrite,
        Protocol, Publisher, Put, Redirect, Rewrite, Route, RouteTable, Snapshot, Timeouts,
    },
    worker,
};

/// Where everybody is going.
const DIALLED: ([u8; 4], u16) = ([10, 96, 0, 5], 80);

/// A worker with one destination; it leaves at the end of the test.
struct Proxy {
    port: u16,
    trigger: Trigger,
    _publisher: Publisher,
    worker: Option<JoinHandle<()>>,
}

impl Proxy {
    fn with(routes: Vec<Route>) -> Self {
        let address = SocketAddr::from(DIALLED);
        let local = Destination::local(address, Protocol::Http, Admits::Everybody);
        let destination = Destination { requests: Some(Arc::new(RouteTable { routes })), ..local };
        let (publisher, snapshots, _) = snapshot::channel();
        let addresses = [(address, Known::Known(Arc::new(destination)))].into_iter().collect();
        publisher.publish(Snapshot { addresses, ..Snapshot::default() });
        let (trigger, drain) = drain::channel();
        let settings = Arc::new(config::read(&(), false).unwrap());
        let given = worker::Given {
            registry: Registry::new(settings.series_max),
            settings,
            snapshots,
            identity: Arc::default(),
            dials: Dials::default(),
            balance: Default::default(),
            budgets: Default::default(),
            redirected: Redirected::by_port(None),
            drain,
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let ours = SocketAddr::from(([127, 0, 0, 1], port));
        let door = move || Ok(vec![Door::fixed(Direction::Outbound, ours, address, Duration::from_secs(10))?]);
        let worker = thread::spawn(move || worker::run(given, door).unwrap());
        while TcpStream::connect(ours).is_err() {
            thread::sleep(Duration::from_millis(5));
        }
        Self { port, trigger, _publisher: publisher, worker: Some(worker) }
    }

    /// What comes back for `target`.
    fn answer(&self, target: &str) -> String {
        self.answer_to(target, "")
    }

    /// The same, asked with `more` lines in its head.
    fn answer_to(&self, target: &str, more: &str) -> String {
        let mut client = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(client, "GET {target} HTTP/1.1\r\nhost: cart\r\n{more}connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.trigger.pull();
        let _ = self.worker.take().map(JoinHandle::join);
    }
}

/// An app that answers each connection with what it was asked; a silent one says nothing.
fn app(silent: bool) -> Arc<Cluster> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut asked = [0; 4096];
            let mut length = 0;
            while !asked[..length].ends_with(b"\r\n\r\n") {
                length += client.read(&mut asked[length..]).unwrap();
            }
            if silent {
                // It goes when the proxy does.
                let _ = client.read(&mut asked);
                continue;
            }
            write!(client, "HTTP/1.1 200 OK\r\nserver: app\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n").unwrap();
            client.write_all(&asked[..length]).unwrap();
        }
    });
    let endpoint = Endpoint { address, identity: None, workload: "".into(), namespace: "".into(), draining: false };
    let name = format!("app/{address}").into();
    Arc::new(Cluster { name, endpoints: vec![Arc::new(endpoint)], discovered: true, ..Default::default() })
}

fn under(elements: &str, action: Action<Arc<Cluster>>) -> Route {
    let path = PathMatch::Elements(elements.into());
    let matching = Match { path, method: None, headers: Vec::new(), query: Vec::new() };
    Route { matching: Some(Arc::new(matching)), gate: None, changes: None, action }
}

fn to(backend: Backend<Arc<Cluster>>) -> Forward<Arc<Cluster>> {
    Forward::to([backend].into_iter().collect())
}

#[test]
fn a_request_goes_where_its_route_says_and_as_it_says() {
    let put = |name: &str, value| (Put::Instead, name.parse().unwrap(), HeaderValue::from_static(value));
    let of_route = Changes {
        request: HeaderChanges { remove: Vec::new(), put: vec![put("x-route", "1")] },
        response: HeaderChanges { remove: vec![http::header::SERVER], put: Vec::new() },
    };
    let of_backend = HeaderChanges { remove: Vec::new(), put: vec![put("x-backend", "1")] };
    let of_backend = Changes { response: of_backend, ..Changes::default() };
    let rewrite = Rewrite {
        host: Some("v1.shop".parse().unwrap()),
        path: Some(PathRewrite::Prefix { of: "/v1".into(), with: "/".into() }),
    };
    let backend = Backend { changes: Some(Arc::new(of_backend)), ..Backend::only(app(false)) };
    let forward = Forward { rewrite: Some(Arc::new(rewrite)), ..to(backend) };
    let route = Route { changes: Some(Arc::new(of_route)), ..under("/v1", Action::Forward(forward)) };
    let proxy = Proxy::with(vec![route]);
    let answer = proxy.answer("/v1/items?page=2");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("x-backend: 1") && !head.contains("server:"), "{answer}");
    assert!(body.starts_with("GET /items?page=2 HTTP/1.1\r\n"), "{answer}");
    assert!(body.contains("host: v1.shop\r\n") && body.contains("x-route: 1\r\n") && !body.contains("cart"), "{answer}");
    let answer = proxy.answer("/v10");
    assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("weft-reason: no_route"), "{answer}");
}

#[test]
fn a_client_is_told_where_to_go_instead() {
    let path = Some(PathRewrite::Whole("/new".into()));
    let redirect = Redirect { status: StatusCode::FOUND, scheme: Some(Scheme::HTTPS), host: None, port: None, path };
    let proxy = Proxy::with(vec![under("/old", Action::Redirect(Arc::new(redirect)))]);
    let answer = proxy.answer("/old?page=2");
    assert!(answer.starts_with("HTTP/1.1 302 ") && answer.contains("location: https://cart/new?page=2\r\n"), "{answer}");
}

#[test]
fn nobody_waits_longer_than_the_route_allows() {
    let soon = Some(Duration::from_millis(30));
    let within = |timeouts| Action::Forward(Forward { timeouts, ..to(Backend::only(app(true))) });
    let proxy = Proxy::with(vec![
        under("/request", within(Timeouts { request: soon, ..Timeouts::default() })),
        under("/attempt", within(Timeouts { attempt: soon, ..Timeouts::default() })),
    ]);
    for target in ["/request", "/attempt"] {
        let answer = proxy.answer(target);
        assert!(answer.starts_with("HTTP/1.1 504 ") && answer.contains("weft-reason: request_timeout"), "{answer}");
    }
}

#[test]
fn a_page_that_may_see_the_apps_answers_may_see_ours() {
    let origin = snapshot::TextMatch::Exact("https://shop.example".into());
    let cors = snapshot::Cors {
        origins: snapshot::Origins::These(vec![origin]),
        credentials: false,
        methods: snapshot::Listed::Nothing,
        headers: snapshot::Listed::Nothing,
        exposed: snapshot::Listed::Nothing,
        max_age: HeaderValue::from_static("5"),
    };
    let cors = Some(Arc::new(cors));
    let gated = |elements, faults, action| {
        let gate = snapshot::Gate { cors: cors.clone(), limits: Vec::new(), faults };
        Route { gate: Some(Arc::new(gate)), ..under(elements, action) }
    };
    let abort = snapshot::Abort { status: StatusCode::IM_A_TEAPOT, grpc: 14 };
    let faults = snapshot::Faults { delay: None, abort: Some(snapshot::Share { millionths: 1_000_000, what: abort }) };
    let timeouts = Timeouts { request: Some(Duration::from_millis(30)), ..Timeouts::default() };
    let within = Action::Forward(Forward { timeouts, ..to(Backend::only(app(true))) });
    let proxy = Proxy::with(vec![
        gated("/late", Default::default(), within),
        gated("/nobody", Default::default(), Action::Refuse(Reason::NoBackend)),
        gated("/struck", faults, Action::Forward(to(Backend::only(app(false))))),
    ]);
    for (path, status) in [("/late", 504), ("/nobody", 500), ("/struck", 418)] {
        for (origin, may) in [("https://shop.example", true), ("https://other.example", false)] {
            let answer = proxy.answer_to(path, &format!("origin: {origin}\r\n"));
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert_eq!(answer.contains(&format!("access-control-allow-origin: {origin}\r\n")), may, "{answer}");
        }
    }
}

/// An app that answers its requests with these statuses in turn, and the last of them from then on; 0 breaks the connection.
fn moody(statuses: &'static [u16]) -> Arc<Cluster> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let mut client = client.unwrap();
            let mut asked = [0; 4096];
            let mut length = 0;
            while !asked[..length].ends_with(b"\r\n\r\n") {
                length += client.read(&mut asked[length..]).unwrap();
            }
            let status = statuses[number.min(statuses.len() - 1)];
            if status > 0 {
                write!(client, "HTTP/1.1 {status} X\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{number}.").unwrap();
            }
        }
    });
    let endpoint = Endpoint { address, identity: None, workload: "".into(), namespace: "".into(), draining: false };
    let name = format!("moody/{address}").into();
    Arc::new(Cluster { name, endpoints: vec![Arc::new(endpoint)], discovered: true, ..Default::default() })
}

#[test]
fn a_request_is_tried_again_when_its_route_says_so_and_not_otherwise() {
    let retries = |attempts, on| {
        let backoff = snapshot::Backoff { base: Duration::from_millis(1), max: Duration::from_millis(2) };
        Some(Arc::new(snapshot::Retries { attempts, on, backoff, body_max: 1024 }))
    };
    let statuses = || snapshot::Conditions { statuses: vec![503..=503], ..Default::default() };
    let reset = snapshot::Conditions { reset: true, ..Default::default() };
    let tried = |path, retries, app| under(path, Action::Forward(Forward { retries, ..to(Backend::only(app)) }));
    let proxy = Proxy::with(vec![
        tried("/once", None, moody(&[503, 200])),
        tried("/status", retries(1, statuses()), moody(&[503, 200])),
        tried("/other", retries(1, statuses()), moody(&[500, 200])),
        tried("/few", retries(1, statuses()), moody(&[503, 503, 200])),
        tried("/enough", retries(2, statuses()), moody(&[503, 503, 200])),
        tried("/reset", retries(1, reset), moody(&[0, 200])),
        tried("/no-reset", retries(1, statuses()), moody(&[0, 200])),
    ]);
    for (path, status, number) in [
        ("/once", 503, "0."),
        ("/status", 200, "1."),
        ("/other", 500, "0."),
        ("/few", 503, "1."),
        ("/enough", 200, "2."),
        ("/reset", 200, "1."),
        ("/no-reset", 502, ""),
    ] {
        let answer = proxy.answer(path);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(number), "{path}: {answer}");
    }
}

#[test]
fn a_copy_goes_to_the_mirror_and_its_answer_nowhere() {
    let (mirror, copies) = std::sync::mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut asked = [0; 4096];
            let length = client.unwrap().read(&mut asked).unwrap();
            // It goes away without an answer.
            let _ = mirror.send(String::from_utf8_lossy(&asked[..length]).into_owned());
        }
    });
    let endpoint = Endpoint { address, identity: None, workload: "".into(), namespace: "".into(), draining: false };
    let cluster = Cluster { name: "mirror".into(), endpoints: vec![Arc::new(endpoint)], discovered: true, ..Default::default() };
    let mirrored = |millionths| {
        let mirrors = vec![snapshot::Mirror { millionths, cluster: Some(Arc::new(cluster)) }];
        Action::Forward(Forward { mirrors, ..to(Backend::only(app(false))) })
    };
    let proxy = Proxy::with(vec![under("/items", mirrored(1_000_000))]);
    assert!(proxy.answer("/items").starts_with("HTTP/1.1 200 "));
    let copy = copies.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(copy.starts_with("GET /items HTTP/1.1\r\n") && copy.contains("host: cart\r\n"), "{copy}");
}

#[test]
fn what_stands_still_longer_than_its_route_allows_is_ended() {
    let timeouts = Timeouts { idle: Some(Duration::from_millis(30)), ..Timeouts::default() };
    let idle = |app| Action::Forward(Forward { timeouts, ..to(Backend::only(app)) });
    let proxy = Proxy::with(vec![under("/silent", idle(app(true))), under("/quick", idle(app(false)))]);
    let answer = proxy.answer("/silent");
    assert!(answer.starts_with("HTTP/1.1 504 ") && answer.contains("weft-reason: idle_timeout"), "{answer}");
    assert!(proxy.answer("/quick").starts_with("HTTP/1.1 200 "));
}

#[test]
fn the_first_who_answers_is_heard() {
    let (silent, quick) = (app(true), app(false));
    let endpoints = [&silent, &quick].map(|cluster| cluster.endpoints[0].clone()).to_vec();
    let both = Cluster { name: "both".into(), endpoints, discovered: true, ..Default::default() };
    let hedging = Some(snapshot::Hedging { after: Duration::from_millis(20), attempts: 1 });
    let proxy = Proxy::with(vec![under("/items", Action::Forward(Forward { hedging, ..to(Backend::only(Arc::new(both))) }))]);
    for _ in 0..10 {
        assert!(proxy.answer("/items").starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn a_client_that_stays_is_sent_to_its_endpoint_first_hedged_or_not() {
    let apps = [moody(&[200]), moody(&[201])];
    let endpoints = apps.iter().map(|cluster| cluster.endpoints[0].clone()).collect();
    let both = Arc::new(Cluster { name: "both".into(), endpoints, discovered: true, ..Default::default() });
    let told_by = snapshot::ToldBy::Header(http::HeaderName::from_static("x-session"));
    let session = Some(Arc::new(snapshot::Session { told_by, absolute: None, idle: None }));
    let staying = |path, hedging| {
        let forward = Forward { hedging, session: session.clone(), ..to(Backend::only(both.clone())) };
        under(path, Action::Forward(forward))
    };
    let hedging = Some(snapshot::Hedging { after: Duration::from_secs(10), attempts: 1 });
    let proxy = Proxy::with(vec![staying("/hedged", hedging), staying("/not", None)]);
    // In turn: by what is known of the two, one of them would be chosen again and again.
    for path in ["/hedged", "/not"].repeat(5) {
        for (app, status) in apps.iter().zip([200, 201]) {
            let token = STANDARD.encode(app.endpoints[0].address.to_string());
            let answer = proxy.answer_to(path, &format!("x-session: {token}\r\n"));
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        }
    }
}
