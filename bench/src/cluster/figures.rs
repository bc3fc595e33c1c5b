//! What was measured.

use serde::Serialize;

use crate::host::Host;

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// Where.
    pub(super) host: Host,
    /// How.
    pub(super) command: String,
    /// Release of the API server.
    pub(super) kubernetes: String,
    /// From few services to many.
    pub(super) taking_in: TakingIn,
    /// With few services, and with many.
    pub(super) stages: Vec<Stage>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Size {
    /// Services, of one port and one slice each.
    pub(super) services: u16,
    /// Endpoints of each service, each a pod.
    pub(super) endpoints: u16,
}

impl Size {
    /// Endpoints of all services together.
    pub(super) fn all_endpoints(self) -> usize {
        usize::from(self.services) * usize::from(self.endpoints)
    }
}

/// Services are written, with their slices and pods, as fast as the API server takes them.
#[derive(Debug, Serialize)]
pub(super) struct TakingIn {
    /// What a pod is as the API server tells it, in JSON: bytes.
    pub(super) pod_bytes: usize,
    /// Until the API server has all: s.
    pub(super) written_s: f64,
    /// From then until control knows all: ms.
    pub(super) behind_ms: f64,
    /// CPU time of control, until it is calm again: ms.
    pub(super) cpu_ms: f64,
    /// Memory of control.
    pub(super) control: Grown,
    /// The most resident memory of control so far: KiB.
    pub(super) control_kib_most: u64,
    /// Memory of the client's sidecar.
    pub(super) sidecar: Grown,
}

/// How memory has grown.
#[derive(Debug, Serialize)]
pub(super) struct Grown {
    /// Before.
    pub(super) before: Memory,
    /// When it is calm again.
    pub(super) after: Memory,
}

/// Memory of a program, in KiB.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Memory {
    /// Resident.
    pub(super) resident: u64,
    /// What of it is of no file.
    pub(super) own: u64,
}

/// What is so while the mesh has one size.
#[derive(Debug, Serialize)]
pub(super) struct Stage {
    /// Which.
    pub(super) size: Size,
    /// An endpoint changes.
    pub(super) edit: Edit,
    /// Control is lost.
    pub(super) loss: Loss,
    /// Nothing happens.
    pub(super) idle: Idle,
}

/// One endpoint of a service that the client calls is replaced; figures are medians over edits.
#[derive(Debug, Serialize)]
pub(super) struct Edit {
    /// From the beginning of the request until the API server has answered: ms.
    pub(super) answered_ms: f64,
    /// Until the client's sidecar has it: ms.
    pub(super) told_ms: f64,
    /// Of that, from control's hearing of it to its handing it to the sidecar's stream, on average: ms.
    pub(super) control_ms: f64,
    /// Until the sidecar has the slowest edit: ms.
    pub(super) told_ms_most: f64,
    /// CPU time of control: ms.
    pub(super) cpu_ms: f64,
}

/// Control's only pod is lost, and another starts; figures are medians over losses, from the start of the new process.
#[derive(Debug, Serialize)]
pub(super) struct Loss {
    /// Until control is ready: it has read everything. ms.
    pub(super) ready_ms: f64,
    /// CPU time of control until then: ms.
    pub(super) cpu_ms: f64,
    /// The most resident memory of control until then: KiB.
    pub(super) memory_kib_most: u64,
    /// Until the client's sidecar is told of an edit that was made meanwhile: ms.
    pub(super) told_ms: f64,
}

/// Nothing happens.
#[derive(Debug, Serialize)]
pub(super) struct Idle {
    /// Of control.
    pub(super) control: Cost,
    /// Of the client's sidecar.
    pub(super) sidecar: Cost,
}

/// What a program costs.
#[derive(Debug, Serialize)]
pub(super) struct Cost {
    /// When it is over.
    pub(super) memory: Memory,
    /// CPU: ms per second.
    pub(super) cpu_ms: f64,
}
