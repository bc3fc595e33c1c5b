//! h2load, and what it says.

use std::{net::SocketAddr, process::Command, time::Duration};

use super::{
    super::place::Place,
    tally::{Tally, seconds},
};

/// `streams` on each of `connections`.
pub(super) fn command(
    target: SocketAddr,
    (connections, streams): (u32, u32),
    path: &str,
    time: Duration,
    place: &Place,
) -> anyhow::Result<Command> {
    let mut command = Command::new(place.programs.path("h2load")?);
    command.args([
        "--threads=1",
        &format!("--clients={connections}"),
        &format!("--max-concurrent-streams={streams}"),
        &format!("--duration={}ms", time.as_millis()),
        &format!("http://{target}{path}"),
    ]);
    Ok(command)
}

/// Reads its summary:
///
/// ```text
/// finished in 3.01s, 52343.33 req/s, 53.01MB/s
/// requests: 157030 total, 157094 started, 157030 done, 157030 succeeded, 0 failed, 0 errored, 0 timeout
/// status codes: 157030 2xx, 0 3xx, 0 4xx, 0 5xx
/// ```
///
/// Its `succeeded` are those below 400.
pub(super) fn read(told: &str) -> Option<Tally> {
    let counts = told.lines().find_map(|line| line.strip_prefix("requests: "))?;
    let count = |name: &str| counts.split(", ").find_map(|count| count.strip_suffix(name)?.trim().parse::<u64>().ok());
    let time = told.lines().find_map(|line| line.strip_prefix("finished in "))?.split(", ").next()?;
    let errors = count(" failed")? + count(" errored")? + count(" timeout")?;
    Some(Tally { requests: count(" succeeded")?, errors, seconds: seconds(time)?, ..Tally::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read() {
        let told = "progress: 100% of clients started\n\nfinished in 500.66ms, 24548.00 req/s, 4.12MB/s\n\
            requests: 12274 total, 12278 started, 12274 done, 12270 succeeded, 3 failed, 1 errored, 0 timeout\n\
            status codes: 12270 2xx, 0 3xx, 3 4xx, 0 5xx\n";
        assert_eq!(read(told), Some(Tally { requests: 12_270, errors: 4, seconds: 0.500_66, ..Tally::default() }));
    }

    #[test]
    fn anything_else_is_not_a_summary() {
        assert_eq!(read("h2load: unrecognized option"), None);
    }
}
