//! Answers questions by UDP and TCP.
//!
//! The mesh is closed: names outside of it do not exist, and that is said at once. An application that hears "refused"
//! would try again for seconds.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use hickory_proto::{
    op::{MessageType, Metadata, OpCode, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, AAAA, CNAME, SOA, SRV},
    },
};
use hickory_server::{
    Server,
    net::runtime::Time,
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo},
    zone_handler::MessageResponseBuilder,
};
use tokio::net::{TcpListener, UdpSocket};

use super::{
    Names,
    names::{DOMAIN, Meaning},
};

/// Seconds an answer may be remembered: a headless service changes with its pods.
const TTL: u32 = 5;

/// Names behind names are followed so far.
const ALIASES_MAX: usize = 8;

/// Somebody who keeps a TCP connection open asks within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// The names in force, replaced as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(Arc<RwLock<Arc<Names>>>);

impl Shared {
    pub(crate) fn replace(&self, names: Names) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(names);
    }

    fn current(&self) -> Arc<Names> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers at `address`, port 53, for as long as the result is kept.
///
/// # Errors
/// The port is taken.
pub(crate) async fn serve(address: IpAddr, names: Shared) -> io::Result<impl Sized> {
    let at = SocketAddr::new(address, 53);
    let mut server = Server::new(Answers(names));
    server.register_socket(UdpSocket::bind(at).await?);
    server.register_listener(TcpListener::bind(at).await?, PATIENCE, 64);
    Ok(server)
}

struct Answers(Shared);

#[async_trait::async_trait]
impl RequestHandler for Answers {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut sender: R) -> ResponseInfo {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.authoritative = true;
        let mut answer = Answer::default();
        match request.request_info() {
            Ok(info) if request.metadata.op_code == OpCode::Query => {
                let name: &Name = info.query.name();
                answer = Answer::to(name, info.query.query_type(), info.src.ip(), &self.0.current());
                metadata.response_code = answer.code;
            }
            Ok(_) => metadata.response_code = ResponseCode::NotImp,
            Err(_) => metadata.response_code = ResponseCode::FormErr,
        }
        let builder = MessageResponseBuilder::from_message_request(request);
        let response = builder.build(metadata, &answer.records, [], &answer.authority, []);
        match sender.send_response(response).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!(%error, "an answer could not be sent");
                let mut failed = Metadata::new(request.metadata.id, MessageType::Response, OpCode::Query);
                failed.response_code = ResponseCode::ServFail;
                ResponseInfo::from(hickory_proto::op::Header { metadata: failed, counts: Default::default() })
            }
        }
    }
}

#[derive(Debug)]
struct Answer {
    code: ResponseCode,
    records: Vec<Record>,
    /// For how long "no" holds.
    authority: Vec<Record>,
}

impl Default for Answer {
    fn default() -> Self {
        Self { code: ResponseCode::NoError, records: Vec::new(), authority: Vec::new() }
    }
}

impl Answer {
    fn to(question: &Name, kind: RecordType, client: IpAddr, names: &Names) -> Self {
        let mut answer = Self::default();
        let mut name = question.clone();
        for _ in 0..ALIASES_MAX {
            match names.find(&name.to_ascii(), client) {
                Meaning::Known { addresses, places, alias } => {
                    let Some(alias) = alias.and_then(|alias| Name::from_ascii(format!("{alias}.")).ok()) else {
                        answer.records.extend(records(&name, kind, addresses, places));
                        break;
                    };
                    answer.records.push(Record::from_rdata(name, TTL, RData::CNAME(CNAME(alias.clone()))));
                    if kind == RecordType::CNAME {
                        break;
                    }
                    name = alias;
                }
                // An alias that leads out of the mesh is an answer still.
                Meaning::Foreign if !answer.records.is_empty() => break,
                Meaning::Missing | Meaning::Foreign => {
                    answer.code = ResponseCode::NXDomain;
                    break;
                }
            }
        }
        if answer.records.is_empty() {
            answer.authority.extend(start_of_authority());
        }
        answer
    }
}

fn records(name: &Name, kind: RecordType, addresses: &[IpAddr], places: &[super::names::Place]) -> Vec<Record> {
    let record = |data| Record::from_rdata(name.clone(), TTL, data);
    let addresses = addresses.iter().filter_map(|address| match (address, kind) {
        (IpAddr::V4(address), RecordType::A) => Some(RData::A(A(*address))),
        (IpAddr::V6(address), RecordType::AAAA) => Some(RData::AAAA(AAAA(*address))),
        _ => None,
    });
    let places = places.iter().filter(|_| kind == RecordType::SRV).filter_map(|place| {
        let target = Name::from_ascii(format!("{}.", place.target)).ok()?;
        Some(RData::SRV(SRV::new(0, 100, place.port, target)))
    });
    addresses.chain(places).map(record).collect()
}

fn start_of_authority() -> Option<Record> {
    let name = Name::from_ascii(format!("{DOMAIN}.")).ok()?;
    let source = Name::from_ascii(format!("ns.dns.{DOMAIN}.")).ok()?;
    let person = Name::from_ascii(format!("hostmaster.{DOMAIN}.")).ok()?;
    // The last number is for how long a "no" may be remembered.
    let data = SOA::new(source, person, 1, 7200, 1800, 86_400, 1);
    Some(Record::from_rdata(name, TTL, RData::SOA(data)))
}
