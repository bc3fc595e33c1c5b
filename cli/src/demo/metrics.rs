//! Reading what sidecars measure: the same pages that Prometheus scrapes.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// A page comes within this time or is left out this time.
const PATIENCE: Duration = Duration::from_secs(1);

/// Port of a sidecar's own pages.
const ADMIN: u16 = 17003;

/// Traffic between two workloads, counted by the caller's sidecars.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Edge {
    pub(super) requests: u64,
    /// Those that were answered with an error of the server's.
    pub(super) errors: u64,
    /// Those over mutual TLS.
    pub(super) mutual: u64,
    /// How many took at most so long: cumulative, by seconds as their bits (which order as positive numbers do).
    pub(super) buckets: BTreeMap<u64, u64>,
    pub(super) client_identity: String,
    pub(super) server_identity: String,
}

/// Edges by the workloads at their ends.
pub(super) type Edges = BTreeMap<(String, String), Edge>;

/// The page of the sidecar at `address`.
pub(super) async fn scrape(address: IpAddr) -> anyhow::Result<String> {
    timeout(PATIENCE, fetch(SocketAddr::new(address, ADMIN))).await.context("no answer")?
}

async fn fetch(address: SocketAddr) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut page = Vec::new();
    stream.read_to_end(&mut page).await?;
    let page = String::from_utf8(page).context("not text")?;
    let (head, body) = page.split_once("\r\n\r\n").context("not HTTP")?;
    ensure!(head.starts_with("HTTP/1.") && head[8..].starts_with(" 200"), "no metrics");
    Ok(body.to_owned())
}

/// The calls that a sidecar's page tells of.
pub(super) fn edges(page: &str) -> Edges {
    let mut edges = Edges::new();
    for sample in page.lines().filter_map(sample) {
        let request = sample.name.strip_prefix("http_client_request_duration_seconds_");
        let outbound = sample.labels.get("direction").is_some_and(|direction| *direction == "outbound");
        let connection = sample.name.strip_prefix("weft_tcp_connection_duration_seconds_").filter(|_| outbound);
        let Some(part) = request.or(connection) else { continue };
        let label = |name: &str| sample.labels.get(name).copied().unwrap_or_default().to_owned();
        let edge = edges.entry((label("client_workload"), label("server_workload"))).or_default();
        match part {
            "count" => edge.count(&sample),
            "bucket" => {
                let bound = sample.labels.get("le").and_then(|bound| bound.trim_start_matches('+').parse::<f64>().ok());
                *edge.buckets.entry(bound.unwrap_or(f64::INFINITY).to_bits()).or_default() += sample.value;
            }
            _ => {}
        }
    }
    edges.retain(|_, edge| edge.requests > 0);
    edges
}

/// Adds what others counted of the same edges.
pub(super) fn add(sum: &mut Edges, others: &Edges) {
    for (ends, other) in others {
        let edge = sum.entry(ends.clone()).or_default();
        edge.requests += other.requests;
        edge.errors += other.errors;
        edge.mutual += other.mutual;
        for (bound, count) in &other.buckets {
            *edge.buckets.entry(*bound).or_default() += count;
        }
        edge.client_identity.clone_from(&other.client_identity);
        edge.server_identity.clone_from(&other.server_identity);
    }
}

impl Edge {
    fn count(&mut self, sample: &Sample<'_>) {
        self.requests += sample.value;
        let label = |name| sample.labels.get(name).copied().unwrap_or_default().to_owned();
        (self.client_identity, self.server_identity) = (label("client_identity"), label("server_identity"));
        if sample.labels.get("tls") == Some(&"mutual") {
            self.mutual += sample.value;
        }
        if sample.labels.get("http_response_status_code").is_some_and(|status| status.starts_with('5')) {
            self.errors += sample.value;
        }
    }

    /// Milliseconds within which `share` of the requests were answered, as well as the buckets tell.
    pub(super) fn quantile_ms(&self, share: f64) -> f64 {
        let total = self.buckets.values().next_back().copied().unwrap_or_default();
        let rank = share * approximately(total);
        let (mut below, mut lower) = (0, 0.0);
        for (bits, count) in &self.buckets {
            let bound = f64::from_bits(*bits);
            if approximately(*count) >= rank && *count > below {
                // Beyond the last bound nothing is known.
                let upper = if bound.is_finite() { bound } else { lower };
                let within = (rank - approximately(below)) / approximately(count - below);
                return 1000.0 * (lower + (upper - lower) * within);
            }
            (below, lower) = (*count, if bound.is_finite() { bound } else { lower });
        }
        0.0
    }

    /// What came since `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let bucket = |(bound, count): (&u64, &u64)| {
            let before = earlier.buckets.get(bound).copied().unwrap_or_default();
            (*bound, count.saturating_sub(before))
        };
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            errors: self.errors.saturating_sub(earlier.errors),
            mutual: self.mutual.saturating_sub(earlier.mutual),
            buckets: self.buckets.iter().map(bucket).collect(),
            ..self.clone()
        }
    }
}

/// Counts stay far below 2^53, where floating point begins to skip.
#[allow(clippy::cast_precision_loss)]
pub(super) fn approximately(count: u64) -> f64 {
    count as f64
}

struct Sample<'a> {
    name: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
    value: u64,
}

/// One line of the page: `name{label="value",…} number`. Our values contain no quotes.
fn sample(line: &str) -> Option<Sample<'_>> {
    let (head, value) = line.rsplit_once(' ').filter(|_| !line.starts_with('#'))?;
    let (name, labels) = head.strip_suffix('}')?.split_once('{')?;
    let labels =
        labels.split("\",").filter_map(|label| label.split_once("=\"")).map(|(key, value)| (key, value.trim_end_matches('"')));
    Some(Sample { name, labels: labels.collect(), value: value.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"# TYPE http_client_request_duration_seconds histogram
http_client_request_duration_seconds_sum{client_workload="web",server_workload="cart-v1",tls="mutual"} 0.5
http_client_request_duration_seconds_count{client_workload="web",client_identity="spiffe://c/ns/shop/sa/web",server_workload="cart-v1",server_identity="spiffe://c/ns/shop/sa/cart",tls="mutual",http_response_status_code="200"} 90
http_client_request_duration_seconds_count{client_workload="web",client_identity="spiffe://c/ns/shop/sa/web",server_workload="cart-v1",server_identity="spiffe://c/ns/shop/sa/cart",tls="none",http_response_status_code="503"} 10
http_client_request_duration_seconds_bucket{le="0.001",client_workload="web",server_workload="cart-v1",tls="mutual"} 50
http_client_request_duration_seconds_bucket{le="0.002",client_workload="web",server_workload="cart-v1",tls="mutual"} 100
http_client_request_duration_seconds_bucket{le="+Inf",client_workload="web",server_workload="cart-v1",tls="mutual"} 100
weft_tcp_connection_duration_seconds_count{client_workload="web",server_workload="db",tls="mutual",direction="inbound"} 7
"#;

    #[test]
    fn a_page_tells_of_calls_and_only_of_the_callers() {
        let edges = edges(PAGE);
        assert_eq!(edges.len(), 1);
        let edge = &edges[&(String::from("web"), String::from("cart-v1"))];
        assert_eq!((edge.requests, edge.mutual, edge.errors), (100, 90, 10));
        assert_eq!(edge.server_identity, "spiffe://c/ns/shop/sa/cart");
    }

    #[test]
    fn quantiles_lie_where_the_buckets_put_them() {
        let edge = &edges(PAGE)[&(String::from("web"), String::from("cart-v1"))];
        assert!((edge.quantile_ms(0.5) - 1.0).abs() < 0.01);
        assert!((edge.quantile_ms(0.75) - 1.5).abs() < 0.01);
        assert!((Edge::default().quantile_ms(0.5)).abs() < 0.01);
    }

    #[test]
    fn what_came_since_is_the_difference() {
        let whole = edges(PAGE);
        let edge = &whole[&(String::from("web"), String::from("cart-v1"))];
        assert_eq!(edge.since(edge).requests, 0);
        let mut sum = whole.clone();
        add(&mut sum, &whole);
        assert_eq!(sum[&(String::from("web"), String::from("cart-v1"))].since(edge), *edge);
    }
}
