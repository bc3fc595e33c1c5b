//! What is said around the tables.

use super::super::{about::About, results::Results};

/// How often and how it was measured, on what.
pub(super) fn about(results: &Results) -> String {
    let About { host, versions, commit, build, command, rounds, seconds, .. } = &results.about;
    let versions: String = versions.iter().map(|(name, version)| format!("- {name}: {version}\n")).collect();
    format!(
        "# Sidecars side by side

A client's pod, its sidecar, mutual TLS 1.3, the sidecar of the server's pod, its app: the same for every contestant, one thread for
traffic in each sidecar, Weft's redirect rules in every pod. All of them run during the whole comparison and only one is loaded
at a time, in turn, in an order that changes from round to round. This page is written by the program that measures;
to measure again:

```sh
cargo run --release -p bench -- {command}
```

- Date: {day}
- Machine: {host}. Load, apps and sidecars share it.
- {others}{rounds} rounds of {seconds} s for each contestant and scenario
- Weft: commit {commit}; {build}
{versions}",
        day = results.about.day(),
        others = others(results),
    )
}

/// Whether the machine was ours alone.
fn others(results: &Results) -> String {
    let Some(busy) = results.busy else { return String::new() };
    let percent = busy * 100.0;
    let warning = "**Others used this machine: measure again where they do not.** Programs with much code suffer most from it.";
    let warning = if results.is_disturbed() { warning } else { "" };
    format!("In the ten seconds of quiet before the first round, {percent:.1} % of the machine was in use. {warning}\n- ")
}

/// What is not fair, in favour of whom.
pub(super) fn unfair(results: &Results) -> String {
    let list: String = UNFAIR.iter().map(|unfair| format!("- {unfair}\n")).collect();
    let direct = if results.samples.is_empty() {
        ""
    } else {
        "\nWhere a dash stands, nothing was measured, or (`direct`) there is no sidecar.\n"
    };
    format!("## What is not fair about it\n\n{list}{direct}")
}

const UNFAIR: [&str; 13] = [
    "**Features.** Weft runs with everything on: discovery, identity, policy, metrics for each edge, balancing, retries. HAProxy and nginx \
     have one static route and nothing of a mesh; Envoy has its own statistics, and none of the filters a mesh adds. In favour of the others.",
    "**Routing.** The others know where to dial from a file. Weft asks control for what it sees dialled, once for each address. In \
     favour of the others.",
    "**Protocols.** The others are told what a port carries, and so is Weft, by `appProtocol` and annotation. `tcp-undeclared` is what \
     it costs Weft to find out.",
    "**Multiplexing.** Between two sidecars Weft carries HTTP/1.1 and opaque connections in one mesh connection; the others have no such thing. \
     That is the point of it, and it is why `tcp-new` needs no handshake: identity was proved when the mesh connection was made, and \
     policy is asked for each connection in it. In favour of Weft.",
    "**Resumption.** No contestant resumes TLS sessions: a resumed session skips the verifier. HAProxy, nginx and Envoy would be cheaper in \
     `tcp-new` with it, at that price. In favour of Weft.",
    "**Key exchange and cipher** are each program's own first choice among what TLS 1.3 has; see the table. The post-quantum key exchange of \
     Weft costs both sides of a handshake more.",
    "**The handshakes** are asked for by Weft's own client, by which every contestant is measured alike.",
    "**nginx** speaks HTTP/2 to a server only as gRPC, and has one call at a time on a connection. It runs as a single process, without \
     its master.",
    "**HAProxy and nginx** are Debian's, which are older than their newest releases.",
    "**The floor** neither encrypts nor parses. Below it is only who joins connections.",
    "**CPU** is what the scheduler counts for the threads of the sidecars. Work of the kernel for one process that happens while another runs \
     (packets that arrive) counts for the other, for every contestant alike.",
    "**Requests a second** are of a machine that runs load, apps and sidecars at once, on few cores: whoever leaves more for the load \
     is asked more. Compare CPU.",
    "**Resident memory** counts the mapped parts of a program whole, which several sidecars on one machine share; the proportional share is \
     in brackets.",
];
