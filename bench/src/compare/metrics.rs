//! What Weft's programs say of themselves: pages of metrics, read over plain HTTP.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, ensure};

/// For a page to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// Fetches `/metrics`. The calling thread must be where `address` can be reached.
///
/// # Errors
/// It cannot be had.
pub(crate) fn fetch(address: Ipv4Addr, port: u16) -> anyhow::Result<String> {
    let address = SocketAddr::from((address, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: metrics\r\nconnection: close\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page).with_context(|| format!("no page of metrics from {address}"))?;
    ensure!(page.starts_with("HTTP/1.1 200"), "{address} answers {:?}", page.lines().next());
    Ok(page)
}

/// The sum of all series called `name` that have all of `labels`, each as `name="value"`.
pub(crate) fn sum(page: &str, name: &str, labels: &[&str]) -> f64 {
    let series = page.lines().filter_map(|line| line.strip_prefix(name));
    let series = series.filter(|rest| rest.starts_with(['{', ' ']) && labels.iter().all(|label| rest.contains(label)));
    series.filter_map(|rest| rest.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_added_up_by_name_and_labels() {
        let page = "# TYPE a counter\na_total{tls=\"mutual\",x=\"1\"} 3\na_total{tls=\"none\"} 5\na_total{tls=\"mutual\"} 4\nab_total 7\n";
        assert_eq!(sum(page, "a_total", &["tls=\"mutual\""]), 7.0);
        assert_eq!(sum(page, "a_total", &[]), 12.0);
        assert_eq!(sum(page, "ab_total", &[]), 7.0);
    }
}
