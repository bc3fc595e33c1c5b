//! Each end with the other end of the `h2` crate, over a connection in memory.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri};
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};

use super::{Decoder, Encoder, Field, block, read};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames, and their flags (RFC 9113, section 6).
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn settings(table_max: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&[0, 1][..], &table_max.to_be_bytes()].concat())
}

/// The next block of fields that comes, from however many frames.
async fn next_block(io: &mut (impl AsyncRead + Unpin)) -> Bytes {
    let mut block = Vec::new();
    loop {
        let mut head = [0; 9];
        io.read_exact(&mut head).await.expect("a frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        io.read_exact(&mut payload).await.expect("its payload");
        if matches!(head[3], HEADERS | CONTINUATION) {
            block.extend(payload);
            if head[4] & END_HEADERS != 0 {
                return block.into();
            }
        }
    }
}

fn request(fields: &[Field]) -> Request<()> {
    let mut request = Request::new(());
    let (mut authority, mut path) = (Bytes::new(), Bytes::new());
    for field in fields {
        match field.clone() {
            Field::Method(method) => *request.method_mut() = method,
            Field::Authority(value) => authority = value,
            Field::Path(value) => path = value,
            Field::Regular(name, value) => drop(request.headers_mut().append(name, value)),
            Field::Scheme(scheme) => assert_eq!(scheme, "http"),
            other => panic!("{other:?}"),
        }
    }
    let uri = Uri::builder().scheme("http").authority(&authority[..]).path_and_query(&path[..]);
    *request.uri_mut() = uri.build().expect("a target");
    request
}

fn any_request() -> impl Strategy<Value = Vec<Field>> {
    let names = "accept|accept-encoding|cookie|date|user-agent|traceparent|x-[a-d]|x-[a-z]{1,70}";
    let values = prop_oneof!["[a-d]?", "gzip, deflate", "[!-~]{1,40}", "[!-~]{200,600}"];
    let field = (names, values, any::<bool>()).prop_map(|(name, text, is_sensitive)| {
        let mut value = HeaderValue::from_str(&text).expect("a value");
        value.set_sensitive(is_sensitive);
        Field::Regular(name.parse().expect("a name"), value)
    });
    let pseudo = (prop_oneof![Just(Method::GET), Just(Method::PUT)], "[a-c]|[a-z]{9}", r"/|/index\.html|/[a-z]{1,30}");
    (pseudo, prop::collection::vec(field, 0..12)).prop_map(|((method, authority, path), fields)| {
        let pseudo =
            [Field::Method(method), Field::Scheme("http".into()), Field::Authority(authority.into()), Field::Path(path.into())];
        [&pseudo[..], &fields[..]].concat()
    })
}

fn any_requests() -> impl Strategy<Value = Vec<Vec<Field>>> {
    prop::collection::vec(any_request(), 1..12)
}

fn any_table_max() -> impl Strategy<Value = u32> {
    prop_oneof![Just(4096), 0u32..600, 4096u32..20_000]
}

/// Name by name: a map may give its names in another order than they were put into it. The crate does not keep what must
/// not be indexed apart.
fn assert_same(one: &Request<()>, other: &Request<()>) {
    assert_eq!((one.method(), one.uri(), one.headers()), (other.method(), other.uri(), other.headers()));
}

fn on_a_connection<F: Future<Output = ()>>(test: impl FnOnce(DuplexStream, DuplexStream) -> F) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(test(ours, theirs));
}

async fn write(io: &mut (impl AsyncWrite + Unpin), octets: &[u8]) {
    io.write_all(octets).await.expect("room");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_we_write_it_reads(requests in any_requests(), table_max in any_table_max()) {
        on_a_connection(async |mut ours, theirs| {
            let mut encoder = Encoder::new();
            encoder.set_table_max(table_max);
            write(&mut ours, PREFACE).await;
            write(&mut ours, &frame(SETTINGS, 0, 0, &[])).await;
            write(&mut ours, &frame(SETTINGS, ACK, 0, &[])).await;
            for (number, fields) in (0..).zip(&requests) {
                let block = block(&mut encoder, fields);
                write(&mut ours, &frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, &block)).await;
            }
            let mut server = h2::server::Builder::new().header_table_size(table_max).handshake::<_, Bytes>(theirs).await.expect("a server");
            let mut answers = Vec::new();
            for fields in &requests {
                let (found, answer) = server.accept().await.expect("a request").expect("a sound one");
                answers.push(answer);
                assert_same(&found.map(drop), &request(fields));
            }
        });
    }

    #[test]
    fn what_it_writes_we_read(requests in any_requests(), table_max in any_table_max()) {
        on_a_connection(async |mut ours, theirs| {
            write(&mut ours, &settings(table_max)).await;
            let (client, connection) = h2::client::handshake(theirs).await.expect("a client");
            tokio::spawn(connection);
            let mut preface = [0; PREFACE.len()];
            ours.read_exact(&mut preface).await.expect("a preface");
            write(&mut ours, &frame(SETTINGS, ACK, 0, &[])).await;
            let mut decoder = Decoder::new(table_max as usize);
            let mut answers = Vec::new();
            for fields in &requests {
                let mut client = client.clone().ready().await.expect("a client");
                answers.push(client.send_request(request(fields), true).expect("a request"));
                let fields_found = read(&mut decoder, &next_block(&mut ours).await).expect("a block");
                assert_same(&request(&fields_found), &request(fields));
            }
        });
    }
}
