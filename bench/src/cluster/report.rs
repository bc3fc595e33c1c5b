//! What people read of it.

use super::figures::{Figures, Grown, Memory, Stage};
use crate::table::{self, Row, mib, tenths, whole};

/// What the figures do not say by themselves.
const NOTES: &str = "\
- One replica of control, as `weft install` prints it, in the cluster of `tests/cluster`: etcd, API server, controllers, kubelet and kube-proxy share the machine with it.
- Memory is resident memory; in brackets what of it is of no file: the rest is pages of the program, which the kernel can take back. Memory is read when it is calm again after a call of the client's.
- The client's pod has a sidecar and calls the first services; it is their endpoints that change.
- Endpoints are Pods in the API server, copies of the client's with its sidecar, which no node runs. EndpointSlices name them, as a controller's would.
- Times of an endpoint's change begin before it is written. The sidecar is asked every 2 ms what it knows.
- Control is lost with its pod, the only one, and an endpoint changes before the next one starts. Times begin with the new process. Until the sidecar is told they hold what is not control's: \
the kubelet asks every 2 s whether control is ready, kube-proxy brings connections to it only then, and the sidecar dials again with pauses of 200 ms at first, doubled and jittered each time.
";

/// A page of Markdown.
pub(super) fn markdown(figures: &Figures) -> String {
    let Figures { host, command, kubernetes, taking_in, stages } = figures;
    let size = stages.last().map(|stage| stage.size);
    let (services, endpoints) = size.map_or((0, 0), |size| (size.services, size.all_endpoints()));
    format!(
        "# weft-control in a cluster with {services} Services and {endpoints} endpoints\n\n\
         `cargo run --release -p bench -- {command}` on {host}, Kubernetes {kubernetes}\n\n\
         ## From few to many\n\n\
         The API server takes the objects, pods of {} bytes each, within {:.1} s. Control knows them all {:.0} ms later, and has spent {:.0} ms of CPU on them.\n\n\
         | memory, MiB | before | after |\n|---|---|---|\n{}{}\n\
         Control holds at most {} MiB.\n\n\
         ## With few and with many\n\n{}\n\n{NOTES}",
        taking_in.pod_bytes,
        taking_in.written_s,
        taking_in.behind_ms,
        taking_in.cpu_ms,
        grown("control", &taking_in.control),
        grown("the client's sidecar", &taking_in.sidecar),
        mib(taking_in.control_kib_most),
        table::markdown("Services, endpoints", stages, head, &ROWS),
    )
}

fn grown(name: &str, memory: &Grown) -> String {
    let Grown { before, after } = memory;
    format!("| {name} | {} | {} |\n", held(before), held(after))
}

fn held(memory: &Memory) -> String {
    format!("{} ({})", mib(memory.resident), mib(memory.own))
}

fn head(stage: &Stage) -> String {
    format!("{}, {}", stage.size.services, stage.size.all_endpoints())
}

const ROWS: [Row<Stage>; 13] = [
    ("**idle**: memory of control, MiB", |stage| held(&stage.idle.control.memory)),
    ("CPU of control, ms per s", |stage| tenths(stage.idle.control.cpu_ms)),
    ("memory of the client's sidecar, MiB", |stage| held(&stage.idle.sidecar.memory)),
    ("CPU of the sidecar, ms per s", |stage| tenths(stage.idle.sidecar.cpu_ms)),
    ("**an endpoint changes**: the API server has answered, ms", |stage| tenths(stage.edit.answered_ms)),
    ("the sidecar is told, ms", |stage| tenths(stage.edit.told_ms)),
    ("of that, control passes it on, ms", |stage| tenths(stage.edit.control_ms)),
    ("the sidecar is told of the slowest, ms", |stage| tenths(stage.edit.told_ms_most)),
    ("CPU of control, ms", |stage| tenths(stage.edit.cpu_ms)),
    ("**control is lost**: the next is ready, ms", |stage| whole(stage.loss.ready_ms)),
    ("CPU of control until then, ms", |stage| whole(stage.loss.cpu_ms)),
    ("the most memory until then, MiB", |stage| mib(stage.loss.memory_kib_most)),
    ("the sidecar is told what changed meanwhile, ms", |stage| whole(stage.loss.told_ms)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::figures::{Cost, Edit, Idle, Loss, Size, TakingIn},
        host::Host,
    };

    const SMALL: Memory = Memory { resident: 8192, own: 2048 };

    fn stage(services: u16) -> Stage {
        let cost = || Cost { memory: SMALL, cpu_ms: 0.25 };
        Stage {
            size: Size { services, endpoints: 10 },
            edit: Edit { answered_ms: 1.0, told_ms: 2.0, control_ms: 0.5, told_ms_most: 3.0, cpu_ms: 4.0 },
            loss: Loss { ready_ms: 100.0, cpu_ms: 50.0, memory_kib_most: 1024, told_ms: 4000.0 },
            idle: Idle { control: cost(), sidecar: cost() },
        }
    }

    #[test]
    fn a_page_says_how_much_there_was_and_what_it_cost() {
        let grown = || Grown { before: SMALL, after: Memory { resident: 10_240, own: 4096 } };
        let page = markdown(&Figures {
            host: Host::default(),
            command: String::from("cluster"),
            kubernetes: String::from("v1.34.0"),
            taking_in: TakingIn {
                pod_bytes: 12_000,
                written_s: 60.0,
                behind_ms: 20.0,
                cpu_ms: 2000.0,
                control: grown(),
                control_kib_most: 20_480,
                sidecar: grown(),
            },
            stages: vec![stage(10), stage(1000)],
        });
        for part in [
            "# weft-control in a cluster with 1000 Services and 10000 endpoints\n",
            "| control | 8.0 (2.0) | 10.0 (4.0) |",
            "at most 20.0 MiB",
            " 10, 100 | 1000, 10000 |",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
