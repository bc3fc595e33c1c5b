//! The mesh that control is asked about, as a directory of manifests. Pure, but for [`Source`], which writes it.

use std::{
    fmt::Write as _,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use aws_lc_rs::digest::{SHA256, digest};

/// Namespace of everything.
pub const NAMESPACE: &str = "shop";

/// Services that every subscriber calls, and whose endpoints change. Each has a file of its own, as each is an object of its own
/// where control watches Kubernetes.
pub const POPULAR: u16 = 10;

/// Services whose manifests share a file: control reads files up to 4 MiB, and looks at all that are there after each edit.
const SERVICES_PER_FILE: usize = 100;

/// How large a mesh is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Services, of one port each.
    pub services: u16,
    /// Endpoints of each service, all with a sidecar.
    pub endpoints: u16,
    /// Pods that nobody calls, for those who ask.
    pub subscribers: u16,
}

/// A directory that control follows.
#[derive(Debug)]
pub struct Source {
    folder: PathBuf,
    size: Size,
    /// How many edits were made.
    edits: u16,
}

impl Source {
    /// Writes a mesh of `size` to a new directory in `parent`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(parent: &Path, size: Size) -> anyhow::Result<Self> {
        let source = Self { folder: parent.join("source"), size, edits: 0 };
        fs::create_dir(&source.folder).context("cannot make the directory of manifests")?;
        let services: Vec<u16> = (0..size.services).collect();
        for (number, services) in services.chunks(SERVICES_PER_FILE).enumerate() {
            let texts = services.iter().map(|service| self::service(*service) + &pods_behind(*service, size.endpoints));
            source.replace(&format!("services-{number}.yaml"), &texts.collect::<String>())?;
        }
        for service in 0..POPULAR {
            source.replace_slice(service, 0)?;
        }
        let rest: String = (POPULAR..size.services).map(|number| slice(number, size.endpoints, None)).collect();
        source.replace("slices.yaml", &rest)?;
        let subscribers: Vec<u16> = (0..size.subscribers).collect();
        source.replace("subscribers.yaml", &subscribers.iter().map(|number| subscriber(*number)).collect::<String>())?;
        Ok(source)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Replaces one endpoint of a popular service, of each in turn, by one that tells the number of the edit. Returns that.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn edit(&mut self) -> anyhow::Result<u16> {
        self.edits += 1;
        self.replace_slice(self.edits % POPULAR, self.edits)?;
        Ok(self.edits)
    }

    fn replace_slice(&self, service: u16, edit: u16) -> anyhow::Result<()> {
        self.replace(&format!("slice-{service}.yaml"), &slice(service, self.size.endpoints, Some(edit)))
    }

    /// Readers see the old file or the new one, never half of one.
    fn replace(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let new = self.folder.with_file_name("new");
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, self.folder.join(name)))
            .with_context(|| format!("cannot write {name}"))
    }
}

/// A service's name.
pub fn service_name(number: u16) -> String {
    format!("service-{number}")
}

/// A service's virtual address.
pub fn service_address(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 96, high, low)
}

/// A subscriber's name; its pod, its workload and its service account are all called so.
pub fn subscriber_name(number: u16) -> String {
    format!("subscriber-{number}")
}

/// A subscriber's address: of loopback, all of which every machine has.
pub fn subscriber_address(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// What a subscriber shows for its first certificate.
pub fn token(number: u16) -> String {
    format!("token-of-{}", subscriber_name(number))
}

/// The address by which an edit is told: of the network for benchmarks (RFC 2544).
const EDITS: &str = "198.18.";

fn edit_address(edit: u16) -> Ipv4Addr {
    let [high, low] = edit.to_be_bytes();
    Ipv4Addr::new(198, 18, high, low)
}

/// The edit that the encoded endpoints of a service tell of. They are searched and not decoded: a thousand subscribers share
/// the processors with control.
pub fn edit_told(endpoints: &[u8]) -> Option<u16> {
    let start = endpoints.windows(EDITS.len()).position(|window| window == EDITS.as_bytes())?;
    let address = &endpoints[start..];
    let end = address.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.').unwrap_or(address.len());
    let address: Ipv4Addr = std::str::from_utf8(&address[..end]).ok()?.parse().ok()?;
    let [_, _, high, low] = address.octets();
    Some(u16::from_be_bytes([high, low]))
}

fn service(number: u16) -> String {
    let (name, address) = (service_name(number), service_address(number));
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\n\
         spec: {{clusterIP: {address}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}\n"
    )
}

fn pods_behind(service: u16, endpoints: u16) -> String {
    let pod = |number| {
        let workload = service_name(service);
        pod(&format!("{workload}-{number}"), &workload, endpoint_address(service, number), "")
    };
    (0..endpoints).map(pod).collect()
}

fn subscriber(number: u16) -> String {
    let hash: String = digest(&SHA256, token(number).as_bytes()).as_ref().iter().fold(String::new(), |mut hash, byte| {
        // A `String` takes whatever is written.
        let _ = write!(hash, "{byte:02x}");
        hash
    });
    let name = subscriber_name(number);
    pod(&name, &name, subscriber_address(number), &format!(", weft.dev/token-sha256: '{hash}'"))
}

fn pod(name: &str, workload: &str, address: Ipv4Addr, annotations: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: {NAMESPACE}\n  uid: uid-of-{name}\n  \
         labels: {{weft.dev/workload: {workload}}}\n  annotations: {{weft.dev/meshed: 'true'{annotations}}}\n\
         spec: {{serviceAccountName: {workload}}}\nstatus: {{podIP: {address}}}\n"
    )
}

/// The endpoints of a service; the last of them tells the number of an edit, if there was one.
fn slice(service: u16, endpoints: u16, edit: Option<u16>) -> String {
    let name = service_name(service);
    let mut text = format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {name}-1\n  namespace: {NAMESPACE}\n  \
         labels: {{kubernetes.io/service-name: {name}}}\naddressType: IPv4\nports: [{{name: http, port: 8080}}]\nendpoints:\n"
    );
    let unchanging = if edit.is_some() { endpoints.saturating_sub(1) } else { endpoints };
    let addresses = (0..unchanging).map(|number| endpoint_address(service, number)).chain(edit.map(edit_address));
    for address in addresses {
        // A `String` takes whatever is written.
        let _ = writeln!(text, "- {{addresses: [{address}], conditions: {{ready: true}}}}");
    }
    text
}

/// Endpoints of all services follow one another, from 10.128.0.0 on.
fn endpoint_address(service: u16, number: u16) -> Ipv4Addr {
    const FIRST: u32 = 10 << 24 | 128 << 16;
    Ipv4Addr::from(FIRST + u32::from(service) * 64 + u32::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_told_by_the_address_of_an_endpoint() {
        for edit in [0, 1, 255, 256, u16::MAX] {
            let text = slice(3, 10, Some(edit));
            assert_eq!(text.matches("- {addresses").count(), 10);
            assert_eq!(edit_told(text.as_bytes()), Some(edit));
        }
        assert_eq!(edit_told(slice(3, 10, None).as_bytes()), None);
    }

    #[test]
    fn what_ends_with_the_address_is_read_too() {
        assert_eq!(edit_told(b"\x0a\x0a198.18.1.2"), Some(258));
        assert_eq!(edit_told(b"198.18.1"), None);
    }

    #[test]
    fn no_two_services_share_an_endpoint() {
        assert!(endpoint_address(0, 63) < endpoint_address(1, 0));
        assert_eq!(endpoint_address(999, 9).octets()[0], 10);
    }
}
