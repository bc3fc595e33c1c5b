//! The `Workload` kind: a local process in some replicas. Fields are named as in a Kubernetes pod wherever it has them.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use control::manifest::{
    Document, Problem,
    kinds::{ContainerPort, Metadata, TargetPort},
};
use serde::{Deserialize, Serialize};

/// Replicas of one workload: more do not fit the address plan of a laptop.
const REPLICAS_MAX: u32 = 1000;

/// What of ours is in a pod beside its app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Companion {
    /// It carries the app's traffic.
    Sidecar,
    /// It gives an app its discovery that follows xDS itself.
    Agent,
    Nobody,
}

impl Companion {
    /// The word before people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Sidecar => "sidecar",
            Self::Agent => "agent",
            Self::Nobody => "nobody",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Workload {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) metadata: Metadata,
    pub(crate) spec: Spec,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Spec {
    /// Program and first arguments. A program with a slash is relative to the manifests' directory, another one is found by PATH.
    pub(crate) command: Vec<String>,
    #[serde(default)]
    pub(crate) args: Vec<String>,
    /// Relative to the manifests' directory, which it is when absent.
    #[serde(default)]
    pub(crate) working_dir: Option<PathBuf>,
    #[serde(default)]
    pub(crate) env: Vec<Variable>,
    #[serde(default = "one")]
    pub(crate) replicas: u32,
    #[serde(default = "default_word")]
    pub(crate) service_account_name: String,
    #[serde(default)]
    pub(crate) ports: Vec<ContainerPort>,
    #[serde(default)]
    pub(crate) readiness_probe: Option<Probe>,
    /// Time an app has after SIGTERM before it is killed.
    #[serde(default = "thirty")]
    pub(crate) termination_grace_period_seconds: f64,
    #[serde(default)]
    pub(crate) security_context: SecurityContext,
    /// Whether it has a sidecar; the label `weft.dev/inject` says no as well: `disabled`, or `agent`.
    #[serde(default)]
    pub(crate) inject: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variable {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) value: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SecurityContext {
    #[serde(default)]
    pub(crate) run_as_user: Option<u32>,
    #[serde(default)]
    pub(crate) run_as_group: Option<u32>,
}

/// When a replica may be called. Fractions of a second are allowed here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Probe {
    #[serde(default)]
    pub(crate) http_get: Option<HttpGet>,
    #[serde(default)]
    pub(crate) tcp_socket: Option<TcpSocket>,
    #[serde(default)]
    pub(crate) exec: Option<Exec>,
    #[serde(default)]
    pub(crate) initial_delay_seconds: f64,
    #[serde(default = "ten")]
    pub(crate) period_seconds: f64,
    #[serde(default = "one_second")]
    pub(crate) timeout_seconds: f64,
    #[serde(default = "three")]
    pub(crate) failure_threshold: u32,
    #[serde(default = "one")]
    pub(crate) success_threshold: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HttpGet {
    #[serde(default = "slash")]
    pub(crate) path: String,
    pub(crate) port: TargetPort,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TcpSocket {
    pub(crate) port: TargetPort,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exec {
    pub(crate) command: Vec<String>,
}

fn one() -> u32 {
    1
}
fn three() -> u32 {
    3
}
fn one_second() -> f64 {
    1.0
}
fn ten() -> f64 {
    10.0
}
fn thirty() -> f64 {
    30.0
}
fn slash() -> String {
    String::from("/")
}
fn default_word() -> String {
    String::from("default")
}

impl Workload {
    /// Labels of its pods: its own, or `app: NAME` when it has none.
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        labels_or_name(&self.metadata.labels, &self.metadata.name)
    }

    /// What its pods have beside its app.
    pub(crate) fn companion(&self) -> Companion {
        match self.metadata.labels.get("weft.dev/inject").map(String::as_str) {
            Some("agent") => Companion::Agent,
            Some("disabled") => Companion::Nobody,
            _ if self.spec.inject == Some(false) => Companion::Nobody,
            _ => Companion::Sidecar,
        }
    }

    /// Time its app has to end.
    pub(crate) fn grace(&self) -> Duration {
        seconds(self.spec.termination_grace_period_seconds)
    }

    /// What tells two versions of it apart: everything but how many there are.
    pub(crate) fn template(&self) -> String {
        let mut template = self.clone();
        template.spec.replicas = 0;
        serde_json::to_string(&template).unwrap_or_default()
    }

    /// The number of a port of its, by number or name.
    pub(crate) fn port(&self, port: &TargetPort) -> Option<u16> {
        port_of(&self.spec.ports, port)
    }

    /// Everything that its form alone does not rule out.
    pub(crate) fn check(&self, document: &Document) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |path: &str, message: &str, hint: &str| problems.push(document.wrong(path, message, Some(hint)));
        let spec = &self.spec;
        if spec.command.first().is_none_or(String::is_empty) {
            wrong("spec.command", "names no program", "the program and its arguments, as in command: [python3, server.py]");
        }
        if spec.replicas > REPLICAS_MAX {
            wrong("spec.replicas", &format!("{} is more than {REPLICAS_MAX}", spec.replicas), "fewer replicas");
        }
        if !(0.0..=86_400.0).contains(&spec.termination_grace_period_seconds) {
            wrong("spec.terminationGracePeriodSeconds", "is not a time from 0 to 86400 seconds", "30, for example");
        }
        if spec.ports.iter().any(|port| port.container_port == 0) {
            wrong("spec.ports[].containerPort", "0 is not a port", "1 to 65535");
        }
        if spec.env.iter().any(|variable| variable.name.is_empty() || variable.name.contains(['=', '\0'])) {
            wrong("spec.env[].name", "is not the name of a variable", "letters, digits and _");
        }
        if let Some(probe) = &spec.readiness_probe {
            problems.extend(probe.check(self).into_iter().map(|(path, message, hint)| document.wrong(path, message, Some(hint))));
        }
        problems
    }
}

/// The number of a port among `ports`, by number or name.
pub(crate) fn port_of(ports: &[ContainerPort], port: &TargetPort) -> Option<u16> {
    match port {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => ports.iter().find(|port| port.name.as_deref() == Some(name)).map(|port| port.container_port),
    }
}

/// A service can select by nothing but labels, so a pod has at least one.
pub(crate) fn labels_or_name(labels: &BTreeMap<String, String>, name: &str) -> BTreeMap<String, String> {
    if labels.keys().any(|key| !key.starts_with("weft.dev/")) {
        return labels.clone();
    }
    let mut labels = labels.clone();
    labels.insert(String::from("app"), name.to_owned());
    labels
}

/// Seconds, checked before, as a time.
pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

impl Probe {
    fn check(&self, workload: &Workload) -> Vec<(&'static str, String, &'static str)> {
        let mut wrong = Vec::new();
        let kinds = [self.http_get.is_some(), self.tcp_socket.is_some(), self.exec.is_some()];
        if kinds.iter().filter(|given| **given).count() != 1 {
            let hint = "exactly one of httpGet, tcpSocket and exec";
            wrong.push(("spec.readinessProbe", String::from("says not what to probe, or says it twice"), hint));
        }
        let ports = [
            ("spec.readinessProbe.httpGet.port", self.http_get.as_ref().map(|get| &get.port)),
            ("spec.readinessProbe.tcpSocket.port", self.tcp_socket.as_ref().map(|socket| &socket.port)),
        ];
        for (path, port) in ports.into_iter().filter_map(|(path, port)| Some((path, port?))) {
            if workload.port(port).is_none_or(|number| number == 0) {
                wrong.push((path, String::from("is no port of this workload"), "a number, or a name from spec.ports"));
            }
        }
        if self.exec.as_ref().is_some_and(|exec| exec.command.is_empty()) {
            wrong.push(("spec.readinessProbe.exec.command", String::from("names no program"), "[program, argument]"));
        }
        let times = [
            ("spec.readinessProbe.initialDelaySeconds", self.initial_delay_seconds, 0.0),
            ("spec.readinessProbe.periodSeconds", self.period_seconds, 0.01),
            ("spec.readinessProbe.timeoutSeconds", self.timeout_seconds, 0.01),
        ];
        for (path, time, least) in times {
            if !(least..=86_400.0).contains(&time) {
                wrong.push((path, format!("{time} is not a time from {least} to 86400 seconds"), "fractions are allowed: 0.5"));
            }
        }
        if self.failure_threshold == 0 || self.success_threshold == 0 {
            wrong.push(("spec.readinessProbe.failureThreshold", String::from("must be at least 1"), "3 is the default"));
        }
        wrong
    }
}
