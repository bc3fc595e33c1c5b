//! What a scrape reads: the counters of all workers, summed by their labels.

use std::{collections::BTreeMap, fmt};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Unit,
};

use super::{
    Cause, Direction, Extra, Fate,
    edge::{EdgeCounters, Labels},
    histogram::{BOUNDS, Counts},
    series::{Reading, Registry},
};
use crate::refusal::Reason;

/// Feeds the counters of a [`Registry`] to a scrape.
#[derive(Debug)]
pub struct Metrics(pub Registry);

type Pairs = Vec<(&'static str, String)>;

const DIRECTIONS: [Direction; 2] = [Direction::Inbound, Direction::Outbound];

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let reading = self.0.read();
        requests(&mut encoder, &reading, Direction::Inbound, "http_server_request_duration")?;
        requests(&mut encoder, &reading, Direction::Outbound, "http_client_request_duration")?;
        connections(&mut encoder, &reading)?;
        refusals(&mut encoder, &reading)?;
        handshakes(&mut encoder, &reading)?;
        ejections(&mut encoder, &reading)?;
        extras(&mut encoder, &reading)?;
        rules(&mut encoder, &reading)?;
        let help = "Edges that were counted as `other` because the ceiling on series was reached";
        encoder
            .encode_descriptor("weft_series_folded", help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&reading.folded, None)
    }
}

fn requests(encoder: &mut DescriptorEncoder<'_>, reading: &Reading, direction: Direction, name: &str) -> fmt::Result {
    let mut sums: BTreeMap<Pairs, Counts> = BTreeMap::new();
    for series in reading.requests.iter().filter(|series| series.edge.labels.direction == direction) {
        let mut labels = edge_labels(&series.edge.labels);
        labels.push(("http_request_method", series.key.method.to_string()));
        labels.push(("http_response_status_code", series.key.status.as_u16().to_string()));
        labels.push(("network_protocol_version", series.key.version.word().to_owned()));
        series.durations.read(sums.entry(labels).or_default());
    }
    let help = "Duration of HTTP requests, from the request's head to the end of the answer";
    let mut metric = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
    sums.iter().try_for_each(|(labels, counts)| histogram(&mut metric, labels, counts))
}

fn connections(encoder: &mut DescriptorEncoder<'_>, reading: &Reading) -> fmt::Result {
    let read = |value: fn(&EdgeCounters) -> u64| {
        let mut sums: BTreeMap<Pairs, u64> = BTreeMap::new();
        for edge in &reading.edges {
            *sums.entry(with_direction(&edge.labels)).or_default() += value(edge);
        }
        sums
    };
    let load = std::sync::atomic::Ordering::Relaxed;
    let opened = read(|edge| edge.opened.load(std::sync::atomic::Ordering::Relaxed));
    counters(encoder, "weft_tcp_connections_opened", "Opaque connections carried to their server", &opened)?;
    let open = read(EdgeCounters::open);
    gauges(encoder, "weft_tcp_connections_open", "Opaque connections open now", &open)?;

    let mut io: BTreeMap<Pairs, u64> = BTreeMap::new();
    for edge in &reading.edges {
        for (way, bytes) in [("sent", edge.sent.load(load)), ("received", edge.received.load(load))] {
            let mut labels = with_direction(&edge.labels);
            labels.push(("way", way.to_owned()));
            *io.entry(labels).or_default() += bytes;
        }
    }
    let help = "Payload carried; `sent` is from client to server";
    let mut metric = encoder.encode_descriptor("weft_payload", help, Some(&Unit::Bytes), MetricType::Counter)?;
    for (labels, bytes) in &io {
        metric.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(bytes, None)?;
    }

    let mut durations: BTreeMap<Pairs, Counts> = BTreeMap::new();
    for edge in reading.edges.iter().filter(|edge| edge.opened.load(load) > 0) {
        edge.durations.read(durations.entry(with_direction(&edge.labels)).or_default());
    }
    let help = "Life of opaque connections that have ended";
    let mut metric =
        encoder.encode_descriptor("weft_tcp_connection_duration", help, Some(&Unit::Seconds), MetricType::Histogram)?;
    durations.iter().try_for_each(|(labels, counts)| histogram(&mut metric, labels, counts))
}

fn refusals(encoder: &mut DescriptorEncoder<'_>, reading: &Reading) -> fmt::Result {
    let mut sums = BTreeMap::new();
    for direction in DIRECTIONS {
        for reason in Reason::ALL {
            let total: u64 = reading.workers.iter().map(|worker| worker.refusals(direction, reason)).sum();
            let labels: Pairs = vec![
                ("direction", direction.word().to_owned()),
                ("room", reason.room().word().to_owned()),
                ("fault", reason.fault().word().to_owned()),
                ("reason", reason.word().to_owned()),
            ];
            sums.insert(labels, total);
        }
    }
    counters(encoder, "weft_refusals", "Connections and requests that ended early, by reason and by whose fault it was", &sums)
}

fn handshakes(encoder: &mut DescriptorEncoder<'_>, reading: &Reading) -> fmt::Result {
    let sums = DIRECTIONS
        .iter()
        .map(|direction| {
            let total = reading.workers.iter().map(|worker| worker.handshakes(*direction)).sum();
            (vec![("direction", direction.word().to_owned())], total)
        })
        .collect();
    counters(encoder, "weft_tls_handshakes", "Mesh TLS handshakes that succeeded; failed ones are refusals", &sums)
}

fn ejections(encoder: &mut DescriptorEncoder<'_>, reading: &Reading) -> fmt::Result {
    let total = |cause: Cause| reading.workers.iter().map(|worker| worker.ejections(cause)).sum();
    let sums = Cause::ALL.iter().map(|cause| (vec![("cause", cause.word().to_owned())], total(*cause))).collect();
    counters(encoder, "weft_ejections", "Endpoints that were put out for a while, by why", &sums)
}

fn extras(encoder: &mut DescriptorEncoder<'_>, reading: &Reading) -> fmt::Result {
    let mut sums = BTreeMap::new();
    for (extra, fate) in Extra::ALL.into_iter().flat_map(|extra| Fate::ALL.map(|fate| (extra, fate))) {
        let total: u64 = reading.workers.iter().map(|worker| worker.extras(extra, fate)).sum();
        sums.insert(vec![("kind", extra.word().to_owned()), ("outcome", fate.word().to_owned())], total);
    }
    counters(encoder, "weft_extra_requests", "Requests sent beside those that somebody sent: once more, or as copies", &sums)
}

fn rules(encoder: &mut DescriptorEncoder<'_>, reading: &Reading) -> fmt::Result {
    let mut sums: BTreeMap<Pairs, u64> = BTreeMap::new();
    for counter in &reading.rules {
        let labels = vec![("rule", counter.rule.to_string()), ("outcome", counter.outcome.word().to_owned())];
        *sums.entry(labels).or_default() += counter.total.load(std::sync::atomic::Ordering::Relaxed);
    }
    counters(encoder, "weft_authorization", "Callers whom a rule of a policy kept out, or wanted to hear of", &sums)
}

fn counters(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, sums: &BTreeMap<Pairs, u64>) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, total) in sums {
        metric.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(total, None)?;
    }
    Ok(())
}

fn gauges(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, values: &BTreeMap<Pairs, u64>) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        metric.encode_family(labels)?.encode_gauge(&i64::try_from(*value).unwrap_or(i64::MAX))?;
    }
    Ok(())
}

fn histogram(metric: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, counts: &Counts) -> fmt::Result {
    let bounds = BOUNDS.iter().copied().chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(counts.buckets).collect();
    metric.encode_family(labels)?.encode_histogram::<NoLabelSet>(counts.sum_seconds(), counts.count(), &buckets, None)
}

fn with_direction(labels: &Labels) -> Pairs {
    let mut pairs = edge_labels(labels);
    pairs.push(("direction", labels.direction.word().to_owned()));
    pairs
}

fn edge_labels(labels: &Labels) -> Pairs {
    let Labels { client, server, service, mutual_tls, direction: _ } = labels;
    vec![
        ("client_workload", client.workload.to_string()),
        ("client_namespace", client.namespace.to_string()),
        ("client_identity", client.identity.to_string()),
        ("server_workload", server.workload.to_string()),
        ("server_namespace", server.namespace.to_string()),
        ("server_identity", server.identity.to_string()),
        ("service", service.to_string()),
        ("tls", if *mutual_tls { "mutual" } else { "none" }.to_owned()),
    ]
}
