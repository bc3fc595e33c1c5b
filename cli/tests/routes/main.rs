//! Routes, through control's compiler and a sidecar's matcher, held against what the Gateway API says.
//!
//! ```text
//! draw       worlds and requests at random, so that routes overlap
//! reference  what becomes of a request, straight from the text of the Gateway API
//! world      what both are told, and what both say
//! calls      the first two of GRPCRoute, as far as that differs
//! ```

mod calls;
mod draw;
mod reference;
mod world;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use control::measured::Known;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request,
    header::{HOST, LOCATION},
    uri::Authority,
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use proxy::measured::{self, Sidecar};

use world::{ADDRESS, ANSWER, Asked, Fate, Fields, Forwarded, SERVICES, World, ordered};

/// Worlds that are drawn, and requests in each.
const WORLDS: u32 = 2_000;
const REQUESTS: usize = 50;
const WORLDS_OF_CALLS: u32 = 1_000;

/// Control and the sidecars of one world.
struct Product {
    known: Known,
    /// By the caller's namespace, and the port that is called.
    sidecars: BTreeMap<(&'static str, u16), Sidecar>,
    seed: u64,
}

impl Product {
    fn of(world: &World, seed: u64) -> Self {
        let mut known = Known::nothing("cluster.local".parse().expect("a name"));
        for (number, (namespace, name, ports)) in (0..).zip(SERVICES) {
            let address = if number == 0 { ADDRESS } else { IpAddr::V4(Ipv4Addr::new(10, 96, 1, number)) };
            known.service(namespace, name, address, ports);
        }
        world.routes.iter().for_each(|(route, made)| known.http_route(route, *made));
        world.calls.iter().for_each(|(route, made)| known.grpc_route(route, *made));
        world.grants.iter().for_each(|grant| known.grant(grant));
        Self { known, sidecars: BTreeMap::new(), seed }
    }

    fn fate(&mut self, asked: &Asked) -> Fate {
        let dialled = SocketAddr::new(ADDRESS, asked.port);
        let Self { known, sidecars, seed } = self;
        let sidecar = sidecars.entry((asked.namespace, asked.port)).or_insert_with(|| {
            let told = |kind: &str, name: &str| known.told(asked.namespace, kind, name);
            Sidecar::told(&format!("address/{dialled}"), told, *seed).unwrap_or_else(|mistake| panic!("{mistake}"))
        });
        let answer = headers(&ANSWER.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let fate = sidecar.fate(dialled, request(asked), answer).expect("a port of a service");
        match fate {
            measured::Fate::Forwarded(forwarded) => {
                let milliseconds = |time: std::time::Duration| u64::try_from(time.as_millis()).expect("a short time");
                let (headers, host) = apart(&forwarded.request);
                Fate::Forwarded(Forwarded {
                    cluster: forwarded.cluster,
                    target: forwarded.request.uri().path_and_query().expect("a path").to_string(),
                    host,
                    headers,
                    answer: fields(&forwarded.answer),
                    timeouts: [forwarded.timeout, forwarded.try_timeout].map(|time| time.map(milliseconds)),
                })
            }
            measured::Fate::Answered(mut response) => {
                let location = response.headers_mut().remove(LOCATION).expect("a location");
                Fate::Redirected(response.status().as_u16(), text(&location), fields(response.headers()))
            }
            measured::Fate::Refused(status) => Fate::Refused(status.as_u16()),
        }
    }
}

fn request(asked: &Asked) -> Request<()> {
    let target = match &asked.query {
        Some(query) => format!("{}?{query}", asked.path),
        None => asked.path.to_owned(),
    };
    let target = if asked.is_http2 { format!("http://{}{target}", asked.host) } else { target };
    let mut request = Request::builder().method(asked.method).uri(target).body(()).expect("a request");
    *request.headers_mut() = headers(&asked.headers);
    if !asked.is_http2 {
        request.headers_mut().insert(HOST, HeaderValue::from_static(asked.host));
    }
    request
}

/// A request's header fields, and the host it is for.
fn apart(request: &Request<()>) -> (Fields, String) {
    let mut headers = request.headers().clone();
    let host = headers.remove(HOST).map(|host| text(&host));
    let host = request.uri().authority().map(Authority::to_string).or(host);
    (fields(&headers), host.unwrap_or_default())
}

fn headers(fields: &[(String, String)]) -> HeaderMap {
    let field = |(name, value): &(String, String)| {
        (HeaderName::from_bytes(name.as_bytes()).expect("a name"), HeaderValue::from_str(value).expect("a value"))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter().map(field) {
        headers.append(name, value);
    }
    headers
}

fn fields(headers: &HeaderMap) -> Fields {
    ordered(headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect())
}

fn text(value: &HeaderValue) -> String {
    value.to_str().expect("text").to_owned()
}

/// How often the first of several fates should have come up, and how often it did.
#[derive(Default)]
struct Shares {
    expected: f64,
    variance: f64,
    found: f64,
}

impl Shares {
    fn count(&mut self, fates: &[(u32, Fate)], found: &Fate) {
        let share = |of: &dyn Fn(&Fate) -> bool| -> f64 {
            fates.iter().filter(|(_, fate)| of(fate)).map(|(weight, _)| f64::from(*weight)).sum()
        };
        let part = share(&|fate| *fate == fates[0].1) / share(&|_| true);
        self.expected += part;
        self.variance += part * (1.0 - part);
        self.found += f64::from(u8::from(*found == fates[0].1));
    }
}

/// Draws worlds and requests, and holds what becomes of these against the reference.
fn compare(worlds: u32, drawn: impl Strategy<Value = (World, Vec<Asked>)>, fates: fn(&World, &Asked) -> Vec<(u32, Fate)>) {
    let shares = RefCell::new(Shares::default());
    let number = Cell::new(1_u64);
    // Far apart, so that their first choices have nothing to do with each other.
    let seed = || number.replace(number.get() + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut runner = TestRunner::new(Config { cases: worlds, failure_persistence: None, ..Config::default() });
    let run = runner.run(&drawn, |(world, requests)| {
        let mut product = Product::of(&world, seed());
        for asked in &requests {
            let (fates, found) = (fates(&world, asked), product.fate(asked));
            prop_assert!(fates.iter().any(|(_, fate)| *fate == found), "{asked:#?} became {found:#?}, expected {fates:#?}");
            shares.borrow_mut().count(&fates, &found);
        }
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    let Shares { expected, variance, found } = shares.into_inner();
    assert!((expected - found).abs() < 5.0 * variance.sqrt(), "{found} of what should have been {expected}");
}

#[test]
fn what_becomes_of_requests_is_what_the_gateway_api_says() {
    compare(WORLDS, (draw::world(), vec(draw::asked(), 1..2 * REQUESTS)), reference::fates);
}

#[test]
fn what_becomes_of_calls_is_what_the_gateway_api_says() {
    compare(WORLDS_OF_CALLS, (calls::world(), vec(calls::asked(), 1..2 * REQUESTS)), calls::fates);
}
