//! What was measured.

use serde::Serialize;

use crate::host::Host;

/// All of it.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// Where.
    pub host: Host,
    /// How.
    pub command: String,
    /// Services of the mesh.
    pub services: u16,
    /// Endpoints of all of them together.
    pub endpoints: u32,
    /// Before anybody subscribes.
    pub alone: Alone,
    /// One for each number of subscribers.
    pub crowds: Vec<OfCrowd>,
}

/// Control that nobody asks anything.
#[derive(Debug, Serialize)]
pub struct Alone {
    /// From the start of the program until it is ready: ms.
    pub ready_ms: f64,
    /// Resident memory: KiB.
    pub memory_kib: u64,
    /// CPU while nothing happens: ms per second.
    pub idle_cpu_ms: f64,
}

/// Control with so many subscribers. Times are from the moment when something began until it was true of all of them.
#[derive(Debug, Serialize)]
pub struct OfCrowd {
    /// How many.
    pub subscribers: u16,
    /// All begin at once, without a certificate.
    pub gathering: Gathering,
    /// Nothing happens.
    pub idle: Idle,
    /// An endpoint changes.
    pub edit: Edit,
    /// Endpoints change all the time.
    pub churn: Churn,
    /// Control is killed and started again.
    pub restart: Restart,
}

/// All subscribers begin at once.
#[derive(Debug, Serialize)]
pub struct Gathering {
    /// Until all have a certificate: ms.
    pub certified_ms: f64,
    /// Until all know everything they asked for: ms.
    pub configured_ms: f64,
    /// Bytes that each receives until then.
    pub bytes_each: u64,
    /// CPU time of control: ms.
    pub cpu_ms: f64,
}

/// Streams are open, and nothing happens.
#[derive(Debug, Serialize)]
pub struct Idle {
    /// Resident memory of control: KiB.
    pub memory_kib: u64,
    /// CPU: ms per second.
    pub cpu_ms: f64,
}

/// One endpoint of a service that all follow is replaced; figures are medians over edits.
#[derive(Debug, Serialize)]
pub struct Edit {
    /// From the edit of the file until half of the subscribers know: ms.
    pub half_ms: f64,
    /// Until the last of them knows: ms.
    pub all_ms: f64,
    /// The same of the slowest edit: ms.
    pub all_ms_most: f64,
    /// Bytes that each subscriber receives.
    pub bytes_each: u64,
    /// CPU time of control: ms.
    pub cpu_ms: f64,
    /// CPU time of the subscribers, who share the machine: ms.
    pub own_cpu_ms: f64,
}

/// Many edits a second.
#[derive(Debug, Serialize)]
pub struct Churn {
    /// Edits in a second.
    pub edits: u32,
    /// CPU of control: ms per second.
    pub cpu_ms: f64,
    /// The most resident memory of control so far: KiB.
    pub memory_kib_most: u64,
    /// Bytes that each subscriber receives in a second.
    pub bytes_each: u64,
    /// From the last edit until the last subscriber knows: ms.
    pub all_ms: f64,
}

/// Control is killed and starts anew.
#[derive(Debug, Serialize)]
pub struct Restart {
    /// Until it is ready: ms.
    pub ready_ms: f64,
    /// Until half of the subscribers have a stream again: ms.
    pub half_ms: f64,
    /// Until the last has: ms.
    pub all_ms: f64,
    /// Bytes that each receives for it.
    pub bytes_each: u64,
    /// Until the last knows of an edit that was made then: ms.
    pub edit_ms: f64,
}
