//! Manifests, written where a test says only what is particular about its app.

use std::fmt;

use serde_json::{Value, json};

/// A workload, and the service of the same name before it; of the namespace `shop` unless it is said otherwise.
#[derive(Clone, Debug)]
pub struct App {
    name: String,
    namespace: String,
    workload: Value,
    service: Value,
    /// Of the service.
    annotations: Value,
    /// Of the workload and its pods.
    labels: Value,
}

impl App {
    /// One replica of `command`, which serves `port`, behind the same port of a service. It has a service account of its own,
    /// and is ready once the port accepts connections.
    pub fn new(name: &str, port: u16, command: &[&str]) -> Self {
        let workload = json!({"command": command, "serviceAccountName": name, "ports": [{"containerPort": port}]});
        let service = json!({"selector": {"app": name}, "ports": [{"port": port}]});
        let (annotations, labels) = (json!({}), json!({"app": name}));
        Self { name: name.to_owned(), namespace: String::from("shop"), workload, service, annotations, labels }
    }

    /// Of another namespace.
    #[must_use]
    pub fn of(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.namespace);
        self
    }

    /// Without a sidecar.
    #[must_use]
    pub fn unmeshed(self) -> Self {
        self.workload("inject", json!(false))
    }

    /// With an agent in a sidecar's place.
    #[must_use]
    pub fn with_agent(mut self) -> Self {
        self.labels["weft.dev/inject"] = json!("agent");
        self
    }

    /// Its service has an address of each family.
    #[must_use]
    pub fn dual_stack(self) -> Self {
        self.service("ipFamilyPolicy", json!("RequireDualStack"))
    }

    /// What the service's ports are instead.
    #[must_use]
    pub fn ports(self, ports: Value) -> Self {
        self.service("ports", ports)
    }

    /// An annotation of its service.
    #[must_use]
    pub fn annotated(mut self, name: &str, value: &str) -> Self {
        self.annotations[name] = json!(value);
        self
    }

    /// A field of the workload's `spec`.
    #[must_use]
    pub fn workload(mut self, field: &str, value: Value) -> Self {
        self.workload[field] = value;
        self
    }

    /// A field of the service's `spec`.
    #[must_use]
    pub fn service(mut self, field: &str, value: Value) -> Self {
        self.service[field] = value;
        self
    }
}

impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, namespace, workload, service, annotations, labels } = self;
        let metadata = json!({"name": name, "namespace": namespace, "labels": labels});
        let workload = json!({"apiVersion": "weft.dev/v1alpha1", "kind": "Workload", "metadata": metadata, "spec": workload});
        writeln!(f, "---\n{workload}\n{}", described(name, namespace, service, annotations))
    }
}

/// A service of the namespace `shop` on its own.
pub fn service(name: &str, spec: &Value) -> String {
    described(name, "shop", spec, &json!({}))
}

fn described(name: &str, namespace: &str, spec: &Value, annotations: &Value) -> String {
    let metadata = json!({"name": name, "namespace": namespace, "annotations": annotations});
    format!("---\n{}\n", json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}))
}

/// The manifests of several.
pub fn manifests<'a>(apps: impl IntoIterator<Item = &'a App>) -> String {
    apps.into_iter().map(ToString::to_string).collect()
}
