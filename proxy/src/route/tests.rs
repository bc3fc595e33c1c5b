//! The matcher against a slow one that is obviously right, and what becomes of a request.

use http::{HeaderMap, HeaderName, Method, Request, Uri};
use regex::bytes::Regex;

use super::*;
use crate::snapshot::{
    Admits, Backend, ConnectionRoute, ConnectionTable, Endpoint, Forward, Match, PathMatch, Protocol, Redirect, Route,
    RouteTable, Session, TextMatch, ToldBy,
};

fn caller() -> Caller {
    Caller { address: "10.77.0.9:40000".parse().unwrap(), identity: None }
}

/// Routes a request for `/`.
fn asked(destination: &Destination) -> Result<Way<'_>, Refusal> {
    request(destination, Asked::of(&Request::new(())), &caller(), &Dice::new(1), crate::clock::now(), || SystemTime::UNIX_EPOCH)
}

#[test]
fn requests_and_bytes_go_only_where_they_are_declared() {
    let address = "10.77.0.5:80".parse().unwrap();
    let http = Destination::local(address, Protocol::Http, Admits::Everybody);
    assert!(asked(&http).is_ok());
    let connected = |destination| connection(destination, None, &caller(), &Dice::new(1)).map(|_| ());
    assert_eq!(connected(&http).unwrap_err().reason, Reason::NoRoute);
    let opaque = Destination::local(address, Protocol::Opaque, Admits::Everybody);
    assert!(connected(&opaque).is_ok());
    assert_eq!(asked(&opaque).unwrap_err().reason, Reason::NoRoute);
}

#[test]
fn a_route_that_leads_nowhere_says_so() {
    let refused = |action| {
        let local = Destination::local("10.77.0.5:80".parse().unwrap(), Protocol::Http, Admits::Everybody);
        let table = RouteTable { routes: vec![Route { matching: None, gate: None, changes: None, action }] };
        asked(&Destination { requests: Some(Arc::new(table)), ..local }).unwrap_err().reason
    };
    let to = |weight| {
        let backend = Backend { weight, changes: None, cluster: None };
        Forward::to([backend].into_iter().collect())
    };
    assert_eq!(refused(Action::Refuse(Reason::NoRoute)), Reason::NoRoute);
    assert_eq!(refused(Action::Forward(to(1))), Reason::NoBackend);
    assert_eq!(refused(Action::Forward(to(0))), Reason::NoBackend);
}

/// Where the connections to a destination go that has `routes`: to how many endpoints, or why not.
fn goes(routes: Vec<ConnectionRoute<Arc<Cluster>>>, server: Option<&str>) -> Result<String, Reason> {
    let local = Destination::local("10.77.0.5:443".parse().unwrap(), Protocol::Tls, Admits::Everybody);
    let destination = Destination { bytes: Some(ConnectionTable { routes: routes.into() }), ..local };
    let routed = connection(&destination, server, &caller(), &Dice::new(1));
    routed.map(|routed| routed.cluster.name.to_string()).map_err(|refusal| refusal.reason)
}

fn cluster(name: &str) -> Arc<Cluster> {
    Arc::new(Cluster { name: name.into(), discovered: true, ..Cluster::default() })
}

fn for_server(server: Option<&str>, to: Option<&str>) -> ConnectionRoute<Arc<Cluster>> {
    let backend = Backend { weight: 1, changes: None, cluster: to.map(cluster) };
    ConnectionRoute { server: server.map(ServerName::read), backends: [backend].into_iter().collect() }
}

#[test]
fn a_connection_goes_where_the_server_that_it_names_is() {
    let routes = || vec![for_server(Some("a.shop"), Some("a")), for_server(Some("*.shop"), Some("all"))];
    assert_eq!(goes(routes(), Some("A.shop")), Ok("a".into()));
    assert_eq!(goes(routes(), Some("b.shop")), Ok("all".into()));
    for nobodys in [Some("shop"), Some("a.depot"), None] {
        assert_eq!(goes(routes(), nobodys), Err(Reason::NoRoute), "{nobodys:?}");
    }
    let with_rest = || routes().into_iter().chain([for_server(None, Some("rest"))]).collect();
    assert_eq!((goes(with_rest(), None), goes(with_rest(), Some("x"))), (Ok("rest".into()), Ok("rest".into())));
}

#[test]
fn a_connection_whose_route_leads_nowhere_says_so() {
    assert_eq!(goes(vec![for_server(None, None)], None), Err(Reason::NoBackend));
    assert_eq!(goes(Vec::new(), None), Err(Reason::NoRoute));
}

#[test]
fn a_client_is_told_to_go_elsewhere_with_what_its_route_adds() {
    let redirect = Redirect { status: StatusCode::FOUND, scheme: None, host: Some("v2".into()), port: None, path: None };
    let action = Action::Redirect(Arc::new(redirect));
    let table = RouteTable { routes: vec![Route { matching: None, gate: None, changes: Some(Arc::default()), action }] };
    let local = Destination::local("10.77.0.5:80".parse().unwrap(), Protocol::Http, Admits::Everybody);
    let destination = Destination { requests: Some(Arc::new(table)), ..local };
    let Ok(Way::Elsewhere(elsewhere)) = asked(&destination) else { panic!("it stays") };
    assert_eq!((elsewhere.status, elsewhere.location.as_bytes()), (StatusCode::FOUND, &b"http://v2/"[..]));
    assert!(elsewhere.edits.changes[1].is_some());
}

#[test]
fn a_client_stays_with_its_endpoint_whatever_the_weights_say_and_with_no_other() {
    let endpoint = |address: &str, draining| {
        let (workload, namespace) = ("".into(), "".into());
        Arc::new(Endpoint { address: address.parse().unwrap(), identity: None, workload, namespace, draining })
    };
    let with = |name: &str, endpoints| {
        let cluster = Cluster { endpoints, ..Arc::into_inner(cluster(name)).unwrap() };
        Backend::only(Arc::new(cluster))
    };
    let old = Backend { weight: 0, ..with("old", vec![endpoint("10.77.0.5:80", false), endpoint("10.77.0.6:80", true)]) };
    let backends = [old, with("new", vec![endpoint("10.77.0.7:80", false)])].into_iter().collect();
    let session = Session { told_by: ToldBy::Header("x-stay".parse().unwrap()), absolute: None, idle: None };
    let forward = Forward { session: Some(Arc::new(session)), ..Forward::to(backends) };
    let table =
        RouteTable { routes: vec![Route { matching: None, gate: None, changes: None, action: Action::Forward(forward) }] };
    let local = Destination::local("10.96.0.5:80".parse().unwrap(), Protocol::Http, Admits::Everybody);
    let destination = Destination { requests: Some(Arc::new(table)), ..local };
    let goes = |address: &str| {
        let token = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, address);
        let request = Request::get("/").header("x-stay", token).body(()).unwrap();
        let (caller, dice, now) = (caller(), Dice::new(1), crate::clock::now());
        let way = super::request(&destination, Asked::of(&request), &caller, &dice, now, || SystemTime::UNIX_EPOCH);
        let Ok(Way::On(routed)) = way else { panic!("it goes nowhere") };
        routed.cluster.name.to_string()
    };
    assert_eq!(goes("10.77.0.5:80"), "old", "it weighs nothing any more");
    for other in ["10.77.0.6:80", "10.77.0.9:80", "169.254.169.254:80"] {
        assert_eq!(goes(other), "new", "{other} is going, or none of the route's");
    }
}

/// An expression, and what it means in plain words.
type Expression = (&'static str, fn(&str) -> bool);

const EXPRESSIONS: [Expression; 5] = [
    ("a|ab|/a|/a/b", |text| ["a", "ab", "/a", "/a/b"].contains(&text)),
    (".*b", |text| text.ends_with('b')),
    ("[^/]*", |text| !text.contains('/')),
    ("/(a|b)+/?", |text| {
        let inner = text.strip_prefix('/').map(|text| text.strip_suffix('/').unwrap_or(text));
        inner.is_some_and(|inner| !inner.is_empty() && inner.chars().all(|letter| matches!(letter, 'a' | 'b')))
    }),
    ("a,b", |text| text == "a,b"),
];

const PATHS: [&str; 12] = ["/", "/a", "/a/", "/ab", "/a/b", "/a/b/", "/ab/a", "/b", "/b/a", "/a//b", "/B", "/abba/"];
const VALUES: [&str; 5] = ["a", "b", "ab", "", "A"];
const METHODS: [Method; 3] = [Method::GET, Method::POST, Method::DELETE];
const NAMES: [&str; 2] = ["x-one", "x-two"];
const KEYS: [&str; 2] = ["one", "two"];

/// A text to match, as the slow matcher sees it.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Exact(&'static str),
    Expression(usize),
}

/// A route, as the slow matcher sees it.
#[derive(Debug)]
struct Slow {
    path: (&'static str, Wanted),
    method: Option<Method>,
    headers: Vec<(&'static str, Wanted)>,
    query: Vec<(&'static str, Wanted)>,
}

/// A request, as the slow matcher sees it.
#[derive(Debug)]
struct Sent {
    path: &'static str,
    method: Method,
    headers: Vec<(&'static str, &'static str)>,
    query: Vec<(&'static str, &'static str)>,
}

struct Chance(Dice);

impl Chance {
    fn one<T: Clone>(&self, of: &[T]) -> T {
        of[self.0.roll(of.len())].clone()
    }

    fn some<T>(&self, most: usize, mut make: impl FnMut() -> T) -> Vec<T> {
        (0..self.0.roll(most + 1)).map(|_| make()).collect()
    }

    fn wanted(&self, exact: &[&'static str]) -> Wanted {
        if self.0.roll(3) == 0 { Wanted::Expression(self.0.roll(EXPRESSIONS.len())) } else { Wanted::Exact(self.one(exact)) }
    }

    fn route(&self) -> Slow {
        let kind = self.one(&["exact", "prefix", "elements", "expression"]);
        let path = match kind {
            "expression" => Wanted::Expression(self.0.roll(EXPRESSIONS.len())),
            "elements" => Wanted::Exact(self.one(&["", "/a", "/a/b", "/ab", "/b"])),
            _ => Wanted::Exact(self.one(&PATHS)),
        };
        let method = (self.0.roll(4) == 0).then(|| self.one(&METHODS));
        let headers = self.some(1, || (self.one(&NAMES), self.wanted(&VALUES)));
        Slow { path: (kind, path), method, headers, query: self.some(1, || (self.one(&KEYS), self.wanted(&VALUES))) }
    }

    fn request(&self) -> Sent {
        let headers = self.some(3, || (self.one(&NAMES), self.one(&VALUES)));
        let query = self.some(3, || (self.one(&KEYS), self.one(&VALUES)));
        Sent { path: self.one(&PATHS), method: self.one(&METHODS), headers, query }
    }
}

impl Wanted {
    fn is(self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Expression(number) => EXPRESSIONS[number].1(text),
        }
    }

    fn compiled(self, regexes: &[Regex]) -> TextMatch {
        match self {
            Self::Exact(exact) => TextMatch::Exact(exact.into()),
            Self::Expression(number) => TextMatch::Regex(regexes[number].clone()),
        }
    }
}

impl Slow {
    fn matches(&self, sent: &Sent) -> bool {
        let path = match self.path {
            ("prefix", Wanted::Exact(prefix)) => sent.path.starts_with(prefix),
            ("elements", Wanted::Exact(wanted)) => {
                let wanted: Vec<_> = wanted.split('/').skip(1).collect();
                let elements: Vec<_> = sent.path.split('/').skip(1).collect();
                elements.starts_with(&wanted)
            }
            (_, wanted) => wanted.is(sent.path),
        };
        let header = |(name, wanted): &(&str, Wanted)| {
            let values: Vec<_> = sent.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| *value).collect();
            !values.is_empty() && wanted.is(&values.join(","))
        };
        let parameter = |(name, wanted): &(&str, Wanted)| {
            sent.query.iter().find(|(key, _)| key == name).is_some_and(|(_, value)| wanted.is(value))
        };
        path && self.method.as_ref().is_none_or(|method| *method == sent.method)
            && self.headers.iter().all(header)
            && self.query.iter().all(parameter)
    }

    fn compiled(&self, regexes: &[Regex]) -> Route<()> {
        let path = match (self.path.0, self.path.1.compiled(regexes)) {
            ("prefix", TextMatch::Exact(prefix)) => PathMatch::Prefix(prefix),
            ("elements", TextMatch::Exact(elements)) => PathMatch::Elements(elements),
            (_, TextMatch::Exact(exact)) => PathMatch::Exact(exact),
            (_, TextMatch::Regex(regex)) => PathMatch::Regex(regex),
        };
        let headers =
            self.headers.iter().map(|(name, wanted)| (HeaderName::from_static(name), wanted.compiled(regexes))).collect();
        let query = self.query.iter().map(|(name, wanted)| ((*name).into(), wanted.compiled(regexes))).collect();
        let matching = Match { path, method: self.method.clone(), headers, query };
        Route { matching: Some(Arc::new(matching)), ..Route::everything(()) }
    }
}

impl Sent {
    fn target(&self) -> Uri {
        let query: Vec<_> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let target = if query.is_empty() { self.path.to_owned() } else { format!("{}?{}", self.path, query.join("&")) };
        target.parse().unwrap()
    }

    fn headers(&self) -> HeaderMap {
        self.headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).fold(
            HeaderMap::new(),
            |mut all, (name, value)| {
                all.append(name, value);
                all
            },
        )
    }
}

#[test]
fn the_first_route_that_matches_is_taken_as_slowly_as_one_may_look() {
    let regexes = EXPRESSIONS.map(|(expression, _)| Regex::new(&format!(r"(?-u)\A(?:{expression})\z")).unwrap());
    let chance = Chance(Dice::new(11));
    let mut taken = [0; 7];
    for _ in 0..2_000 {
        let slow = chance.some(5, || chance.route());
        let routes: Vec<_> = slow.iter().map(|route| route.compiled(&regexes)).collect();
        for _ in 0..50 {
            let sent = chance.request();
            let (uri, headers) = (sent.target(), sent.headers());
            let asked = Asked { method: &sent.method, uri: &uri, headers: &headers };
            let found = matcher::first(&routes, asked);
            let found = found.and_then(|found| routes.iter().position(|route| std::ptr::eq(route, found)));
            assert_eq!(found, slow.iter().position(|route| route.matches(&sent)), "{sent:?} among {slow:?}");
            taken[found.map_or(6, |number| number)] += 1;
        }
    }
    assert!(taken[..4].iter().all(|count| *count > 1_000), "every place in a table is taken: {taken:?}");
}

#[test]
fn a_host_is_one_wherever_it_is_written() {
    let wanted = TextMatch::Exact("cart.shop".into());
    let matching = Match {
        path: PathMatch::Elements("".into()),
        method: None,
        headers: vec![(http::header::HOST, wanted)],
        query: Vec::new(),
    };
    let routes = [Route { matching: Some(Arc::new(matching)), ..Route::everything(()) }];
    let found = |request: Request<()>| matcher::first(&routes, Asked::of(&request)).is_some();
    assert!(found(Request::get("http://cart.shop/").body(()).unwrap()));
    assert!(found(Request::get("/").header("host", "cart.shop").body(()).unwrap()));
    assert!(!found(Request::get("/").header("host", "web.shop").body(()).unwrap()));
    assert!(!found(Request::get("/").body(()).unwrap()));
}

#[test]
fn a_target_without_a_path_is_for_everything() {
    for request in [Request::connect("db:80").body(()).unwrap(), Request::options("*").body(()).unwrap()] {
        assert_eq!(Asked::of(&request).path(), "/");
    }
}
