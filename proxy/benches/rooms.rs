//! How long the pure rooms take to decide: `cargo bench -p proxy`.
//!
//! What a decision costs must not follow the size of the mesh: a pick among 10,000 endpoints takes as long as one among ten,
//! give or take the cache misses, and so does finding one of 5,000 addresses.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use proxy::measured::{Addresses, Balancing, RequestHead, ResponseHead, Routes, recognised};

const REQUEST: &str = "GET /v1/items/4711?fields=name,price HTTP/1.1\r\nhost: catalogue.shop\r\nuser-agent: storefront/2.14.0\r\n\
    accept: application/json\r\naccept-encoding: gzip, br\r\n\
    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n";

const RESPONSE: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\
    x-request-id: 5f2b6c1e-8f0e-4b7e-9d55-0c8f6e1f3a21\r\ndate: Fri, 20 Nov 2026 10:00:00 GMT\r\n\r\n";

fn detect(c: &mut Criterion) {
    let mut group = c.benchmark_group("detect");
    let first_bytes: [(&str, &[u8]); 4] = [
        ("http1", REQUEST.as_bytes()),
        ("http2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
        ("tls", b"\x16\x03\x01\x06\x2a\x01\0\x06\x26\x03\x03"),
        ("bytes", b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n"),
    ];
    for (name, bytes) in first_bytes {
        group.bench_function(name, |b| b.iter(|| recognised(black_box(bytes))));
    }
}

fn snapshot(c: &mut Criterion) {
    let mut group = c.benchmark_group("snapshot");
    for services in [10, 5_000] {
        let addresses = Addresses::of(services);
        let mut number = 0;
        group.bench_function(BenchmarkId::new("find", services), |b| {
            b.iter(|| {
                number = (number + 7) % services;
                addresses.find(black_box(number))
            });
        });
    }
}

fn route(c: &mut Criterion) {
    let mut group = c.benchmark_group("route");
    for routes in [1, 10, 100] {
        let table = Routes::of(routes);
        let last = http::Request::get(format!("/{}/items/4711", routes - 1)).body(()).expect("a sound request");
        group.bench_function(BenchmarkId::new("last_of", routes), |b| b.iter(|| table.find(black_box(&last))));
    }
}

fn balance(c: &mut Criterion) {
    let mut group = c.benchmark_group("balance");
    for endpoints in [1, 10, 1_000, 10_000] {
        let balancing = Balancing::over(endpoints);
        group.bench_function(BenchmarkId::new("pick_of", endpoints), |b| b.iter(|| balancing.pick()));
    }
}

fn http1(c: &mut Criterion) {
    let mut group = c.benchmark_group("http1");
    let text = Bytes::from_static(REQUEST.as_bytes());
    group.bench_function("read_request_head", |b| b.iter(|| RequestHead::read(black_box(&text))));
    let head = RequestHead::read(&text).expect("a sound head");
    group.bench_function("write_request_head", |b| b.iter(|| black_box(&head).write()));
    let text = Bytes::from_static(RESPONSE.as_bytes());
    group.bench_function("read_response_head", |b| b.iter(|| ResponseHead::read(black_box(&text))));
    let head = ResponseHead::read(&text).expect("a sound head");
    group.bench_function("write_response_head", |b| b.iter(|| black_box(&head).write()));
}

criterion_group!(rooms, detect, snapshot, route, balance, http1);
criterion_main!(rooms);
