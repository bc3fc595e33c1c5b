//! wrk, and what it says.

use std::{net::SocketAddr, process::Command, time::Duration};

use super::{
    super::place::Place,
    tally::{Tally, seconds},
};

/// wrk counts whole seconds.
pub(super) fn command(
    target: SocketAddr,
    connections: u32,
    path: &str,
    time: Duration,
    place: &Place,
) -> anyhow::Result<Command> {
    let mut command = Command::new(place.programs.path("wrk")?);
    let seconds = time.as_secs().max(1);
    command.args([
        "--threads=1",
        &format!("--connections={connections}"),
        &format!("--duration={seconds}s"),
        &format!("http://{target}{path}"),
    ]);
    Ok(command)
}

/// Reads its summary:
///
/// ```text
///   73519 requests in 3.01s, 92.47MB read
///   Socket errors: connect 0, read 3, write 0, timeout 0
///   Non-2xx or 3xx responses: 7
/// ```
pub(super) fn read(told: &str) -> Option<Tally> {
    let (requests, rest) = told.lines().find_map(|line| line.split_once(" requests in "))?;
    let refused = told.lines().find_map(|line| line.split_once("Non-2xx or 3xx responses:"));
    let refused = refused.map_or(Some(0), |(_, number)| number.trim().parse().ok())?;
    let broken = told.lines().find_map(|line| line.split_once("Socket errors:"));
    let broken: u64 = broken.map_or(0, |(_, kinds)| kinds.split([' ', ',']).filter_map(|word| word.parse::<u64>().ok()).sum());
    let requests: u64 = requests.trim().parse().ok()?;
    Some(Tally {
        requests: requests.saturating_sub(refused),
        errors: refused + broken,
        seconds: seconds(rest.split(',').next()?)?,
        ..Tally::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_without_errors_is_read() {
        let told =
            "Running 3s test @ http://10.96.1.1:8080/1k\n  73519 requests in 3.10s, 92.47MB read\nRequests/sec:  24425.6\n";
        assert_eq!(read(told), Some(Tally { requests: 73_519, errors: 0, seconds: 3.1, ..Tally::default() }));
    }

    #[test]
    fn errors_of_all_kinds_are_added_up() {
        let told = "  100 requests in 1.00m, 1MB read\n  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 7\n";
        assert_eq!(read(told), Some(Tally { requests: 93, errors: 17, seconds: 60.0, ..Tally::default() }));
    }

    #[test]
    fn anything_else_is_not_a_summary() {
        assert_eq!(read("unable to connect to 10.96.1.1:8080 Connection refused"), None);
    }
}
