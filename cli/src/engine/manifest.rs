//! The user's directory: what it describes, and everything that is wrong with it.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    rc::Rc,
};

use control::manifest::{Document, Problem, kinds::Service, load_directory};
use rustix::fs::Access;
use serde_json::Value;

use super::workload::Workload;

/// Namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// As people refer to it: the default namespace goes without saying.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "default" => f.write_str(&self.name),
            namespace => write!(f, "{namespace}/{}", self.name),
        }
    }
}

/// What a directory describes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Config {
    pub(crate) services: BTreeMap<Key, Service>,
    pub(crate) workloads: BTreeMap<Key, Planned>,
    /// Objects that are control's to read, as they are, by their kind.
    pub(crate) handed_on: BTreeMap<(String, Key), Value>,
}

/// A workload, and the program it runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Planned {
    pub(crate) workload: Rc<Workload>,
    /// Where its program is. `None`: nowhere, and it stays down until it is there.
    pub(crate) program: Option<PathBuf>,
}

/// A directory that was read without mistakes.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) config: Config,
    /// What keeps single workloads down.
    pub(crate) warnings: Vec<Problem>,
}

/// Reads everything in `directory`.
///
/// # Errors
/// Every mistake found. Nothing of the directory is to be used then.
pub(crate) fn read(directory: &Path) -> Result<Accepted, Vec<Problem>> {
    let loaded = load_directory(directory);
    let mut reading = Reading { directory, config: Config::default(), warnings: Vec::new(), problems: loaded.problems };
    loaded.documents.iter().for_each(|document| reading.take(document));
    let Reading { config, warnings, mut problems, .. } = reading;
    if problems.is_empty() {
        return Ok(Accepted { config, warnings });
    }
    problems.sort();
    Err(problems)
}

struct Reading<'a> {
    directory: &'a Path,
    config: Config,
    warnings: Vec<Problem>,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn take(&mut self, document: &Document) {
        self.check_names(document);
        match (document.kind.as_str(), document.api_version.as_str()) {
            ("Service", "v1") => self.service(document),
            ("Workload", "weft.dev/v1alpha1") => self.workload(document),
            ("AuthorizationPolicy" | "PeerAuthentication" | "TrafficPolicy", "weft.dev/v1alpha1")
            | ("XBackendTrafficPolicy", "gateway.networking.x-k8s.io/v1alpha1")
            | ("HTTPRoute" | "GRPCRoute" | "TLSRoute" | "TCPRoute", "gateway.networking.k8s.io/v1")
            | ("TLSRoute", "gateway.networking.k8s.io/v1alpha3" | "gateway.networking.k8s.io/v1alpha2")
            | ("TCPRoute", "gateway.networking.k8s.io/v1alpha2")
            | ("ReferenceGrant", "gateway.networking.k8s.io/v1" | "gateway.networking.k8s.io/v1beta1") => self.hand_on(document),
            ("Service", _) => self.wrong_version(document, "v1"),
            ("Workload" | "AuthorizationPolicy" | "PeerAuthentication" | "TrafficPolicy", _) => {
                self.wrong_version(document, "weft.dev/v1alpha1")
            }
            ("HTTPRoute" | "GRPCRoute" | "TLSRoute" | "TCPRoute" | "ReferenceGrant", _) => {
                self.wrong_version(document, "gateway.networking.k8s.io/v1")
            }
            ("XBackendTrafficPolicy", _) => self.wrong_version(document, "gateway.networking.x-k8s.io/v1alpha1"),
            (kind, _) => {
                let hint = "a local mesh knows Service, Workload, AuthorizationPolicy, PeerAuthentication, TrafficPolicy, XBackendTrafficPolicy, HTTPRoute, GRPCRoute, TLSRoute, TCPRoute and ReferenceGrant";
                self.problems.push(document.wrong("kind", format!("`{kind}` is unknown here"), Some(hint)));
            }
        }
    }

    fn wrong_version(&mut self, document: &Document, expected: &str) {
        let message = format!("`{}` is no version of {}", document.api_version, document.kind);
        self.problems.push(document.wrong("apiVersion", message, Some(&format!("write {expected}"))));
    }

    fn check_names(&mut self, document: &Document) {
        for (path, name) in [("metadata.name", &document.name), ("metadata.namespace", &document.namespace)] {
            if !is_label(name) {
                self.problems.push(document.wrong(path, format!("`{name}` is not a name"), Some(LABEL_HINT)));
            }
        }
    }

    fn service(&mut self, document: &Document) {
        match document.parse::<Service>() {
            Ok(service) => {
                self.problems.extend(check_service(&service, document));
                self.config.services.insert(Key::new(&document.namespace, &document.name), service);
            }
            Err(problems) => self.problems.extend(problems),
        }
    }

    fn hand_on(&mut self, document: &Document) {
        let mut mistakes = control::mistakes(document);
        match document.parse() {
            Ok(object) => {
                let key = Key::new(&document.namespace, &document.name);
                self.config.handed_on.insert((document.kind.clone(), key), object);
            }
            Err(problems) if mistakes.is_empty() => mistakes = problems,
            Err(_) => {}
        }
        self.problems.extend(mistakes);
    }

    fn workload(&mut self, document: &Document) {
        let workload: Workload = match document.parse() {
            Ok(workload) => workload,
            Err(problems) => return self.problems.extend(problems),
        };
        self.problems.extend(workload.check(document));
        let Some(command) = workload.spec.command.first() else { return };
        let program = find(self.directory, command);
        if program.is_none() {
            let hint = "it stays down until the program is there; a path with a slash is relative to this directory";
            let message = format!("there is no program `{command}`");
            self.warnings.push(document.wrong("spec.command", message, Some(hint)));
        }
        let key = Key::new(&document.namespace, &document.name);
        self.config.workloads.insert(key, Planned { workload: Rc::new(workload), program });
    }
}

const LABEL_HINT: &str = "lower-case letters, digits and -, beginning and ending with a letter or digit, at most 63";

/// Whether it is a label of RFC 1123, as names in DNS must be.
pub(crate) fn is_label(name: &str) -> bool {
    let inner = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    (1..=63).contains(&name.len()) && name.chars().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

fn check_service(service: &Service, document: &Document) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut wrong = |path: &str, message: String, hint: &str| problems.push(document.wrong(path, message, Some(hint)));
    let spec = &service.spec;
    let external = spec.kind.as_deref() == Some("ExternalName");
    match spec.kind.as_deref() {
        None | Some("ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName") => {}
        Some(other) => {
            wrong("spec.type", format!("`{other}` is no type of service"), "ClusterIP, NodePort, LoadBalancer or ExternalName");
        }
    }
    if external && spec.external_name.as_deref().is_none_or(str::is_empty) {
        wrong("spec.externalName", String::from("is missing"), "the name that this service stands for");
    }
    if spec.ports.is_empty() && !external && spec.cluster_ip.as_deref() != Some("None") {
        wrong("spec.ports", String::from("is empty"), "at least one port, as in ports: [{port: 80}]");
    }
    let mut names: Vec<_> = spec.ports.iter().map(|port| port.name.as_deref()).collect();
    names.sort_unstable();
    let counted = names.len();
    names.dedup();
    if names.len() != counted || (counted > 1 && names.contains(&None)) {
        wrong("spec.ports[].name", String::from("is missing or given twice"), "with several ports each needs a name of its own");
    }
    if spec.ports.iter().any(|port| port.port == 0) {
        wrong("spec.ports[].port", String::from("0 is not a port"), "1 to 65535");
    }
    let given = spec.cluster_ip.iter().chain(&spec.cluster_ips).filter(|address| !["None", ""].contains(&address.as_str()));
    for address in given.filter(|address| address.parse::<std::net::IpAddr>().is_err()) {
        wrong("spec.clusterIP", format!("`{address}` is not an address"), "leave it out, or None for a headless service");
    }
    for family in spec.ip_families.iter().filter(|family| !["IPv4", "IPv6"].contains(&family.as_str())) {
        wrong("spec.ipFamilies", format!("`{family}` is no family"), "IPv4 or IPv6");
    }
    problems
}

/// Where a program is, if it can be executed.
fn find(directory: &Path, command: &str) -> Option<PathBuf> {
    let executable = |path: &PathBuf| path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok();
    if command.contains('/') {
        return Some(directory.join(command)).filter(executable);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(command)).find(executable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::workload::Companion;

    fn read_text(text: &str) -> Result<Accepted, Vec<Problem>> {
        let folder = std::env::temp_dir().join(format!("weft-manifest-{}-{:?}", std::process::id(), std::thread::current().id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("shop.yaml"), text).unwrap();
        let read = read(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        read
    }

    const CART: &str =
        "apiVersion: weft.dev/v1alpha1\nkind: Workload\nmetadata:\n  name: cart\nspec:\n  command: [sh, -c, 'sleep 1']\n";

    #[test]
    fn a_workload_needs_no_more_than_a_command() {
        let accepted = read_text(CART).unwrap();
        let planned = &accepted.config.workloads[&Key::new("default", "cart")];
        assert_eq!(planned.workload.spec.replicas, 1);
        assert_eq!(planned.workload.labels(), [(String::from("app"), String::from("cart"))].into());
        assert_eq!(planned.workload.companion(), Companion::Sidecar);
        let labelled = CART.replace("name: cart", "name: cart\n  labels: {weft.dev/inject: agent}");
        let accepted = read_text(&labelled).unwrap();
        assert_eq!(accepted.config.workloads[&Key::new("default", "cart")].workload.companion(), Companion::Agent);
        assert!(planned.program.as_ref().unwrap().ends_with("sh"));
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        let text = format!(
            "{CART}  replcas: 2\n---\n{}---\napiVersion: v1\nkind: Deploy\nmetadata: {{name: x}}\n",
            CART.replace("cart", "Cart_1").replace("[sh, -c, 'sleep 1']", "[]")
        );
        let problems = read_text(&text).unwrap_err();
        let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [7, 12, 14, 17], "{problems:#?}");
        assert_eq!(problems[0].hint.as_deref(), Some("did you mean `replicas`?"));
    }

    #[test]
    fn a_missing_program_keeps_down_its_workload_alone() {
        let accepted = read_text(&CART.replace("[sh,", "[./no-such-program,")).unwrap();
        assert_eq!(accepted.warnings.len(), 1);
        assert_eq!(accepted.warnings[0].line, 6);
        assert!(accepted.config.workloads[&Key::new("default", "cart")].program.is_none());
    }

    #[test]
    fn several_ports_of_a_service_need_names() {
        let text = "apiVersion: v1\nkind: Service\nmetadata: {name: cart}\nspec:\n  ports:\n  - port: 80\n  - port: 81\n";
        assert_eq!(read_text(text).unwrap_err().len(), 1);
    }

    #[test]
    fn what_is_controls_to_read_is_handed_on_unless_control_finds_a_mistake_in_it() {
        let route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: cart}\nspec:\n  rules:\n  - matches:\n    - path: {value: /a}\n";
        let accepted = read_text(route).unwrap();
        let handed_on = &accepted.config.handed_on[&(String::from("HTTPRoute"), Key::new("default", "cart"))];
        assert_eq!(handed_on["spec"]["rules"][0]["matches"][0]["path"]["value"], "/a");
        assert_eq!(read_text(&route.replace("/a", "a")).unwrap_err()[0].line, 7);
        assert_eq!(read_text(&route.replace("/v1", "/v2")).unwrap_err()[0].line, 1);
        let tls = "apiVersion: gateway.networking.k8s.io/v1alpha3\nkind: TLSRoute\nmetadata: {name: a}\nspec: {hostnames: [a.example]}\n";
        assert_eq!(read_text(tls).unwrap().config.handed_on.len(), 1);
        assert_eq!(read_text(&tls.replace("a.example", "10.0.0.1")).unwrap_err()[0].line, 4);
        let strict =
            "apiVersion: weft.dev/v1alpha1\nkind: PeerAuthentication\nmetadata: {name: a}\nspec: {mtls: {mode: STRICT}}\n";
        assert_eq!(read_text(strict).unwrap().config.handed_on.len(), 1);
    }

    #[test]
    fn names_are_labels() {
        assert!(is_label("cart-v1"));
        for wrong in ["", "-cart", "cart-", "Cart", "ca.rt", &"c".repeat(64)] {
            assert!(!is_label(wrong), "{wrong}");
        }
    }
}
