//! The pure rooms, opened for the stopwatch of `proxy/benches`, and to whoever holds what they decide against another opinion
//! (`cli/tests`). Nothing else calls this.
//!
//! Each type here is a question as a room would be asked it, with all that the question needs made beforehand.

mod door;
mod fate;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    balance::{Shared, State, Wanted, Work},
    clock,
    detect::recognise,
    dice::Dice,
    family::Family,
    http1::{
        Room,
        head::{self, FIELDS_MAX},
        scan::Scan,
        write::{self, Way},
    },
    outbox::Outbox,
    route::{self, Asked, Caller},
    snapshot::{
        self, Admits, Answer, Cluster, Destination, Endpoint, Match, PathMatch, Protocol, Reader, Route, RouteTable, Snapshot,
    },
};

pub use door::Door;
pub use fate::{Fate, Forwarded, Sidecar};

/// Which endpoint now?
#[derive(Debug)]
pub struct Balancing {
    state: State,
    cluster: Arc<Cluster>,
}

impl Balancing {
    /// Over so many endpoints, all as good as each other.
    pub fn over(endpoints: u16) -> Self {
        let balancing = Self { state: State::new(1, Shared::default()), cluster: cluster("cart", endpoints) };
        // The first choice brings the candidates in line with the cluster.
        balancing.pick();
        balancing
    }

    /// Chooses an endpoint for a request that is over at once; `None` when there is none.
    pub fn pick(&self) -> Option<SocketAddr> {
        let wanted = Wanted { work: Work::Request, family: Family::V4, key: None, tried: &[] };
        let chosen = self.state.choose(&self.cluster, wanted, clock::now());
        chosen.ok().map(|chosen| chosen.endpoint().address)
    }
}

/// Where may this go?
#[derive(Debug)]
pub struct Routes {
    destination: Destination,
    caller: Caller,
    dice: Dice,
}

impl Routes {
    /// A table of so many routes, for the paths `/0/`, `/1/` and so on.
    pub fn of(routes: u16) -> Self {
        let cluster = cluster("cart", 1);
        let route = |number| {
            let path = PathMatch::Prefix(format!("/{number}/").into());
            let matching = Match { path, method: None, headers: Vec::new(), query: Vec::new() };
            Route { matching: Some(Arc::new(matching)), ..Route::everything(cluster.clone()) }
        };
        let routes = (0..routes).map(route).collect();
        let requests = Some(Arc::new(RouteTable { routes }));
        let destination = Destination { requests, ..Destination::local(address(0), Protocol::Http, Admits::Everybody) };
        Self { destination, caller: Caller { address: address(1), identity: None }, dice: Dice::new(1) }
    }

    /// Whether a request may go anywhere.
    pub fn find<B>(&self, request: &http::Request<B>) -> bool {
        let asked = Asked::of(request);
        route::request(&self.destination, asked, &self.caller, &self.dice, clock::now(), clock::wall).is_ok()
    }
}

/// Whether the first bytes of a connection suffice to tell what it speaks.
pub fn recognised(first: &[u8]) -> bool {
    recognise::recognise(first) != recognise::Verdict::NeedMore
}

/// What is this address?
#[derive(Debug)]
pub struct Addresses(Reader);

impl Addresses {
    /// A snapshot of so many services.
    pub fn of(services: u16) -> Self {
        let (publisher, reader, _) = snapshot::channel();
        let known = |number| {
            (address(number), Answer::Known(Arc::new(Destination::local(address(number), Protocol::Http, Admits::Everybody))))
        };
        publisher.publish(Snapshot { addresses: (0..services).map(known).collect(), ..Snapshot::default() });
        Self(reader)
    }

    /// What the address of service `number` is; `None` when nobody knows.
    pub fn find(&self, number: u16) -> Option<Answer> {
        self.0.current().addresses.get(&address(number)).cloned()
    }
}

/// The head of a request in HTTP/1.1, which came in one piece.
#[derive(Debug)]
pub struct RequestHead(http::Request<()>);

impl RequestHead {
    /// Finds its end, and reads it; `None` when it is not sound.
    pub fn read(text: &Bytes) -> Option<Self> {
        let head = complete(text)?;
        head::request(head, FIELDS_MAX).ok().map(Self)
    }

    /// Writes it anew; returns how long it is.
    pub fn write(&self) -> usize {
        let mut outbox = Outbox::default();
        write::request_head(&mut outbox, &self.0, Way::Nothing);
        outbox.len()
    }
}

/// The head of an answer in HTTP/1.1, which came in one piece.
#[derive(Debug)]
pub struct ResponseHead(http::response::Parts);

impl ResponseHead {
    /// Finds its end, and reads it; `None` when it is not sound.
    pub fn read(text: &Bytes) -> Option<Self> {
        let head = complete(text)?;
        head::response(head, FIELDS_MAX).ok().map(|response| Self(response.into_parts().0))
    }

    /// Writes it anew; returns how long it is.
    pub fn write(&self) -> usize {
        let mut outbox = Outbox::default();
        write::response_head(&mut outbox, &self.0, Way::Exact(0), http::Version::HTTP_11, true);
        outbox.len()
    }
}

fn complete(text: &Bytes) -> Option<Bytes> {
    const ROOM: Room = Room { head: 64 << 10, fields: FIELDS_MAX, line: 16 << 10, chunk_line: 1 << 10, interims: 0, ahead: 0 };
    let length = Scan::default().section(text, true, ROOM).ok()??;
    Some(text.slice(..length))
}

fn cluster(name: &str, endpoints: u16) -> Arc<Cluster> {
    let endpoint = |number| {
        let (workload, namespace) = (name.into(), "shop".into());
        Arc::new(Endpoint { address: address(number), identity: None, workload, namespace, draining: false })
    };
    Arc::new(Cluster {
        name: name.into(),
        endpoints: (0..endpoints).map(endpoint).collect(),
        discovered: true,
        ..Default::default()
    })
}

fn address(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(10, 77, high, low), 80))
}
