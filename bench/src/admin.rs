//! What Weft's programs say of themselves: pages of their admin ports, read over plain HTTP.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, ensure};

/// For a page to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// Fetches the page at `path`. The calling thread must be where `address` can be reached.
///
/// # Errors
/// It cannot be had, or is given with another status than 200.
pub(crate) fn fetch(address: impl Into<SocketAddr>, path: &str) -> anyhow::Result<String> {
    let address = address.into();
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).with_context(|| format!("{address} does not answer {path}"))?;
    let (head, page) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    ensure!(head.starts_with("HTTP/1.1 200"), "{address} answers {path} with {:?}", head.lines().next());
    Ok(page.to_owned())
}

/// The sum of all series of a page of metrics called `name` that have all of `labels`, each as `name="value"`.
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
