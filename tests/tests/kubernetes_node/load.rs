//! Constant loads of a client's pod.

use std::{thread, time::Duration};

use tests::Cluster;

use super::shop::run;

/// Connections of a load over HTTP.
pub(crate) const CONNECTIONS: u64 = 8;

/// A way of calling `web`: a name, and a round of some seconds that says in its last line what became of its calls.
pub(crate) type Way = (&'static str, &'static str);

/// 200 requests a second.
pub(crate) const HTTP1: Way = ("http1", "h2load --h1 -D 5 -c 8 --rps 25 http://web/");

/// The same, on connections of HTTP/2.
pub(crate) const HTTP2: Way = ("http2", "h2load -D 5 -c 8 --rps 25 http://web:81/");

/// Eight streams at a time, of a second each.
pub(crate) const STREAMS: Way = ("streams", "grpc-streams -call web:9000 -for 5s");

/// Connections of Redis, one after another: nobody looks into them.
pub(crate) const OPAQUE: Way = (
    "opaque",
    "good=0 bad=0; while [ $((good + bad)) -lt 100 ]; do \
       if [ \"$(redis-cli -h web ping)\" = PONG ]; then good=$((good + 1)); else bad=$((bad + 1)); fi; sleep 0.03; \
     done; echo requests: $good succeeded, $bad failed",
);

/// What became of a load.
pub(crate) struct Outcome {
    pub(crate) good: u64,
    /// Failed, or answered with a refusal.
    pub(crate) bad: u64,
    /// All that was said, for people.
    pub(crate) said: String,
}

/// Round after round, until it is ended. It goes on by itself in the client's pod: what kubectl runs ends with kubectl's connection.
pub(crate) struct Load {
    cluster: &'static Cluster,
    namespace: &'static str,
    way: Way,
}

impl Load {
    pub(crate) fn start(cluster: &'static Cluster, namespace: &'static str, way: Way) -> Self {
        let (name, round) = way;
        let load = format!("(until [ -e /tmp/end ]; do {round}; done; echo over) >/tmp/{name} 2>&1 </dev/null &");
        run(cluster, namespace, &["/bin/sh", "-c", &load]);
        Self { cluster, namespace, way }
    }

    /// Ends all loads of the pod. Returns what became of this one.
    pub(crate) fn end(self) -> Outcome {
        let Self { cluster, namespace, way: (name, _) } = self;
        run(cluster, namespace, &["/bin/sh", "-c", ": >/tmp/end"]);
        for _ in 0..30 {
            let said = run(cluster, namespace, &["/bin/cat", &format!("/tmp/{name}")]);
            if said.ends_with("over\n") {
                return Outcome { good: counted(&said, "succeeded"), bad: counted(&said, "failed"), said };
            }
            thread::sleep(Duration::from_secs(1));
        }
        panic!("the load does not end: {name}");
    }
}

/// The sum over all rounds: `requests: 6000 total, 6000 started, 6000 done, 6000 succeeded, 0 failed, 0 errored, 0 timeout`.
fn counted(said: &str, word: &str) -> u64 {
    let lines = said.lines().filter_map(|line| line.strip_prefix("requests:"));
    let parts = lines.flat_map(|line| line.split(',')).filter_map(|part| part.strip_suffix(word));
    parts.map(|number| number.trim().parse::<u64>().expect("a number")).sum()
}
