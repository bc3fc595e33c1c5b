//! What control is told: Kubernetes objects in files, one each, in a directory that only the mesh can see.
//!
//! `objects` is pure; `Folder` writes what changed, each file at once by renaming.

use std::{
    collections::BTreeMap,
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use control::manifest::kinds::{
    self, Conditions, Container, EndpointSlice, MESHED_ANNOTATION, Metadata, PodIp, PodSpec, PodStatus, Reference, SERVICE_LABEL,
    Service, SliceEndpoint, SlicePort, TOKEN_ANNOTATION, TargetPort, WORKLOAD_LABEL,
};
use serde::Serialize;

use super::{
    addresses::Services,
    manifest::{Config, Key},
    table::{Pod, Table},
    workload::{Companion, port_of},
};

/// Files by their names.
pub(crate) type Files = BTreeMap<String, String>;

/// Everything control is to know.
pub(crate) fn objects(config: &Config, virtual_addresses: &Services, pods: &Table) -> Files {
    let mut files = Files::new();
    for ((kind, key), object) in &config.handed_on {
        add(&mut files, &kind.to_lowercase(), key, object);
    }
    for (key, service) in &config.services {
        add(&mut files, "service", key, &with_addresses(service, virtual_addresses.of(key)));
        for slice in slices(key, service, virtual_addresses.of(key), pods) {
            let slice_key = Key::new(&key.namespace, &slice.metadata.name);
            add(&mut files, "endpointslice", &slice_key, &slice);
        }
    }
    for (key, pod) in pods {
        add(&mut files, "pod", key, &pod_object(key, pod));
    }
    files
}

fn add(files: &mut Files, kind: &str, key: &Key, object: &impl Serialize) {
    // These types are texts, numbers and lists: they always have a JSON form.
    let text = serde_json::to_string(object).unwrap_or_default();
    files.insert(format!("{kind}.{}.{}.json", key.namespace, key.name), text);
}

fn with_addresses(service: &Service, addresses: &[IpAddr]) -> Service {
    let mut service = service.clone();
    if let Some(first) = addresses.first() {
        service.spec.cluster_ip = Some(first.to_string());
        service.spec.cluster_ips = addresses.iter().map(ToString::to_string).collect();
    }
    service
}

/// Names of a service's ports, and their numbers on a pod.
type Ports = Vec<(Option<String>, u16)>;

/// The slices of a service: one for each family, and for each set of port numbers when pods differ in those.
fn slices(key: &Key, service: &Service, virtual_addresses: &[IpAddr], pods: &Table) -> Vec<EndpointSlice> {
    let selected = pods.iter().filter(|(pod, _)| pod.namespace == key.namespace);
    let selected = selected.filter(|(_, pod)| pod.is_selected(&service.spec.selector));
    let mut groups: BTreeMap<Ports, Vec<(&Key, &Pod)>> = BTreeMap::new();
    for (name, pod) in selected {
        groups.entry(resolved(service, pod)).or_default().push((name, pod));
    }
    if groups.is_empty() {
        // An empty slice says "nobody"; none at all would say "nothing is known yet".
        groups.insert(Vec::new(), Vec::new());
    }
    let headless = virtual_addresses.is_empty();
    let families = [("IPv4", "ipv4", true), ("IPv6", "ipv6", false)]
        .into_iter()
        .filter(|(_, _, v4)| if headless { *v4 } else { virtual_addresses.iter().any(|address| address.is_ipv4() == *v4) });
    let mut slices = Vec::new();
    for (address_type, suffix, v4) in families {
        for (number, (ports, pods)) in groups.iter().enumerate() {
            let name = if number == 0 { format!("{}-{suffix}", key.name) } else { format!("{}-{suffix}-{number}", key.name) };
            slices.push(EndpointSlice {
                api_version: String::from("discovery.k8s.io/v1"),
                kind: String::from("EndpointSlice"),
                metadata: Metadata {
                    name,
                    namespace: Some(key.namespace.clone()),
                    labels: [(SERVICE_LABEL.to_owned(), key.name.clone())].into(),
                    ..Metadata::default()
                },
                address_type: address_type.to_owned(),
                endpoints: pods.iter().filter_map(|(name, pod)| endpoint(name, pod, v4)).collect(),
                ports: ports.iter().map(|(name, port)| slice_port(service, name.as_deref(), *port)).collect(),
            });
        }
    }
    slices
}

/// The service's ports as numbers on this pod. A port whose name the pod does not have is left out.
fn resolved(service: &Service, pod: &Pod) -> Vec<(Option<String>, u16)> {
    let ports = service.spec.ports.iter().filter_map(|port| {
        let target = port.target_port.clone().unwrap_or(TargetPort::Number(port.port));
        Some((port.name.clone(), port_of(&pod.ports, &target)?))
    });
    ports.collect()
}

fn slice_port(service: &Service, name: Option<&str>, number: u16) -> SlicePort {
    let declared = service.spec.ports.iter().find(|port| port.name.as_deref() == name);
    let app_protocol = declared.and_then(|port| port.app_protocol.clone());
    SlicePort { name: name.map(str::to_owned), port: Some(number), app_protocol }
}

fn endpoint(name: &Key, pod: &Pod, v4: bool) -> Option<SliceEndpoint> {
    let address = *pod.addresses.iter().find(|address| address.is_ipv4() == v4)?;
    let conditions =
        Conditions { ready: Some(pod.takes_work()), serving: Some(pod.ready), terminating: Some(pod.leaving.is_some()) };
    let target_ref = Reference { kind: String::from("Pod"), name: name.name.clone(), namespace: Some(name.namespace.clone()) };
    Some(SliceEndpoint { addresses: vec![address], conditions, target_ref: Some(target_ref), zone: None })
}

fn pod_object(key: &Key, pod: &Pod) -> kinds::Pod {
    let mut labels = pod.labels.clone();
    labels.insert(WORKLOAD_LABEL.to_owned(), pod.workload(key).to_owned());
    let mut annotations = BTreeMap::new();
    if pod.companion == Companion::Sidecar {
        annotations.insert(MESHED_ANNOTATION.to_owned(), String::from("true"));
    }
    if let Some(token) = &pod.token {
        annotations.insert(TOKEN_ANNOTATION.to_owned(), token.clone());
    }
    kinds::Pod {
        api_version: String::from("v1"),
        kind: String::from("Pod"),
        metadata: Metadata {
            name: key.name.clone(),
            namespace: Some(key.namespace.clone()),
            uid: pod.uid.clone(),
            labels,
            annotations,
            deletion_timestamp: pod.leaving.clone(),
        },
        spec: PodSpec {
            service_account_name: Some(pod.service_account.clone()),
            containers: vec![Container { name: String::from("app"), ports: pod.ports.clone() }],
        },
        status: PodStatus {
            pod_ips: pod.addresses.iter().map(|ip| PodIp { ip: *ip }).collect(),
            pod_ip: pod.addresses.first().copied(),
        },
    }
}

/// The directory that control watches, and what it holds.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    written: Files,
}

impl Folder {
    /// An empty one.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self { path: path.to_owned(), written: Files::new() })
    }

    /// Makes it hold exactly `files`, touching only what differs.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn write(&mut self, files: Files) -> io::Result<()> {
        // Hidden, so that nobody reads it half written.
        let unfinished = self.path.join(".unfinished");
        for (name, text) in files.iter().filter(|(name, text)| self.written.get(*name) != Some(text)) {
            fs::write(&unfinished, text)?;
            fs::rename(&unfinished, self.path.join(name))?;
        }
        for name in self.written.keys().filter(|name| !files.contains_key(*name)) {
            fs::remove_file(self.path.join(name))?;
        }
        self.written = files;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::engine::pod::Stop;

    fn pod(address: &str, ready: bool, leaving: bool) -> Pod {
        Pod {
            replica: Some((Key::new("shop", "cart-v1"), 0)),
            template: String::new(),
            uid: String::from("u"),
            labels: [(String::from("app"), String::from("cart"))].into(),
            service_account: String::from("cart"),
            ports: serde_json::from_str(r#"[{"name":"web","containerPort":8080}]"#).unwrap(),
            addresses: vec![address.parse().unwrap(), "fd77::9".parse().unwrap()],
            companion: Companion::Sidecar,
            token: Some(String::from("abc")),
            ready,
            leaving: leaving.then(|| String::from("2026-01-01T00:00:00Z")),
            stop: watch::channel(Stop::Stay).0,
        }
    }

    fn cart() -> BTreeMap<Key, Service> {
        let text = r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"cart","namespace":"shop"},
            "spec":{"selector":{"app":"cart"},"ports":[{"port":80,"targetPort":"web"}]}}"#;
        [(Key::new("shop", "cart"), serde_json::from_str(text).unwrap())].into()
    }

    fn written(pods: Table) -> (Files, EndpointSlice) {
        let mut addresses = Services::default();
        let handed_on =
            [((String::from("HTTPRoute"), Key::new("shop", "cart")), serde_json::json!({ "kind": "HTTPRoute" }))].into();
        let config = Config { services: cart(), handed_on, ..Config::default() };
        addresses.assign(&config.services);
        let files = objects(&config, &addresses, &pods);
        let slice = serde_json::from_str(&files["endpointslice.shop.cart-ipv4.json"]).unwrap();
        (files, slice)
    }

    #[test]
    fn a_slice_tells_who_takes_work_and_who_is_leaving() {
        let pods = [
            (Key::new("shop", "cart-v1-0"), pod("10.77.0.2", true, false)),
            (Key::new("shop", "cart-v1-1"), pod("10.77.0.3", true, true)),
            (Key::new("shop", "cart-v1-2"), pod("10.77.0.4", false, false)),
            (Key::new("elsewhere", "cart-v1-0"), pod("10.77.0.5", true, false)),
        ];
        let (files, slice) = written(pods.into());
        let ready: Vec<_> = slice.endpoints.iter().map(|endpoint| endpoint.conditions.ready).collect();
        assert_eq!(ready, [Some(true), Some(false), Some(false)]);
        assert_eq!(slice.endpoints[1].conditions.serving, Some(true));
        assert_eq!(slice.endpoints[1].conditions.terminating, Some(true));
        assert_eq!(slice.ports[0].port, Some(8080));
        assert_eq!(slice.metadata.labels[SERVICE_LABEL], "cart");
        assert_eq!(files.keys().filter(|name| name.starts_with("pod.")).count(), 4);
    }

    #[test]
    fn a_service_is_told_with_its_address() {
        let (files, _) = written(Table::new());
        let service: Service = serde_json::from_str(&files["service.shop.cart.json"]).unwrap();
        assert!(service.spec.cluster_ip.unwrap().starts_with("10.96."));
        assert_eq!(files["httproute.shop.cart.json"], r#"{"kind":"HTTPRoute"}"#);
    }
}
