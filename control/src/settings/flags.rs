//! The flags, and what they amount to.

use std::path::PathBuf;

use certs::name::TrustDomain;
use clap::Parser;
use tracing_subscriber::EnvFilter;

use super::{
    CA_SECRET, Ca, Injection, Settings,
    mistakes::{Mistakes, lifetime},
};
use crate::index::DefaultPolicy;

/// The control component of the Weft service mesh: certificates, discovery and routing for its proxies.
// Texts, all of them: each is read by us, so that every mistake is reported at once and not the first alone.
#[derive(Debug, Parser)]
#[command(name = "weft-control", version)]
pub(super) struct Flags {
    /// Directory of manifests (Service, EndpointSlice, Pod) to follow
    #[arg(long, env = "WEFT_SOURCE", value_name = "DIR")]
    source: Option<PathBuf>,
    /// Follow the API server of the cluster we run in, or the one that KUBECONFIG names, instead of a directory
    #[arg(long, env = "WEFT_KUBERNETES", value_parser = clap::builder::BoolishValueParser::new(), action = clap::ArgAction::SetTrue)]
    kubernetes: bool,
    /// Namespace we run in, with --kubernetes
    #[arg(long, env = "WEFT_NAMESPACE", value_name = "NAME", default_value = "weft-system")]
    namespace: String,
    /// Secret of the CA in our namespace, with --kubernetes; made there if it is not [default: weft-ca]
    #[arg(long, env = "WEFT_CA_SECRET", value_name = "NAME")]
    ca_secret: Option<String>,
    /// Port for the webhook that adds sidecars, with --kubernetes; 0 for none
    #[arg(long, env = "WEFT_WEBHOOK_PORT", value_name = "PORT", default_value = "17012")]
    webhook_port: String,
    /// Webhook configuration in which the API server is told our root
    #[arg(long, env = "WEFT_WEBHOOK_NAME", value_name = "NAME", default_value = "weft-injector")]
    webhook_name: String,
    /// Image of sidecars [default: that of this release]
    #[arg(long, env = "WEFT_PROXY_IMAGE", value_name = "IMAGE")]
    proxy_image: Option<String>,
    /// When the image of sidecars is pulled
    #[arg(long, env = "WEFT_PROXY_PULL_POLICY", value_name = "POLICY", default_value = "IfNotPresent")]
    proxy_pull_policy: String,
    /// What sidecars log, in the syntax of tracing's EnvFilter [default: info,h2=error]
    #[arg(long, env = "WEFT_PROXY_LOG", value_name = "FILTER")]
    proxy_log: Option<String>,
    /// CPU that the scheduler sets aside for a sidecar [default: 10m]
    #[arg(long, env = "WEFT_PROXY_CPU_REQUEST", value_name = "AMOUNT")]
    proxy_cpu_request: Option<String>,
    /// Memory that the scheduler sets aside for a sidecar [default: 16Mi]
    #[arg(long, env = "WEFT_PROXY_MEMORY_REQUEST", value_name = "AMOUNT")]
    proxy_memory_request: Option<String>,
    /// Memory beyond which a sidecar is killed [default: 256Mi]
    #[arg(long, env = "WEFT_PROXY_MEMORY_LIMIT", value_name = "AMOUNT")]
    proxy_memory_limit: Option<String>,
    /// What tells this replica of control from others [default: the host's name]
    #[arg(long, env = "WEFT_REPLICA", value_name = "NAME")]
    replica: Option<String>,
    /// Directory of the CA: ca.pem and ca-key.pem, made there if it holds none
    #[arg(long, env = "WEFT_CA_DIR", value_name = "DIR")]
    ca_dir: Option<PathBuf>,
    /// Certificate of an existing CA, with its chain up to the root
    #[arg(long, env = "WEFT_CA_CERT", value_name = "FILE")]
    ca_cert: Option<PathBuf>,
    /// Private key of an existing CA, readable by nobody else
    #[arg(long, env = "WEFT_CA_KEY", value_name = "FILE")]
    ca_key: Option<PathBuf>,
    /// Where to write the trust bundle, for proxies to read
    #[arg(long, env = "WEFT_BUNDLE_OUT", value_name = "FILE")]
    bundle_out: Option<PathBuf>,
    /// Trust domain of the mesh
    #[arg(long, env = "WEFT_TRUST_DOMAIN", value_name = "NAME", default_value = "cluster.local")]
    trust_domain: String,
    /// Who may call a pod's app when neither it nor its namespace says so: allow-all, allow-authenticated or deny
    #[arg(long, env = "WEFT_DEFAULT_POLICY", value_name = "POLICY", default_value = "allow-all")]
    default_policy: String,
    /// Address to listen on for discovery and certificates
    #[arg(long, env = "WEFT_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0")]
    listen: String,
    /// Port for discovery
    #[arg(long, env = "WEFT_XDS_PORT", value_name = "PORT", default_value = "17010")]
    xds_port: String,
    /// Port for certificates
    #[arg(long, env = "WEFT_CERTS_PORT", value_name = "PORT", default_value = "17011")]
    certs_port: String,
    /// Address to listen on for metrics and health [default: that of --listen]
    #[arg(long, env = "WEFT_CONTROL_ADMIN_LISTEN", value_name = "ADDRESS")]
    admin_listen: Option<String>,
    /// Port for metrics and health
    #[arg(long, env = "WEFT_CONTROL_ADMIN_PORT", value_name = "PORT", default_value = "17013")]
    admin_port: String,
    /// Life of a workload's certificate: seconds, or as in 90s, 30m or 24h (the most)
    #[arg(long, env = "WEFT_LEAF_LIFETIME_SECONDS", value_name = "TIME", default_value = "24h")]
    leaf_lifetime: String,
    /// What is logged, in the syntax of tracing's EnvFilter
    #[arg(long, env = "WEFT_LOG", value_name = "FILTER", default_value = "info")]
    log: String,
}

impl Flags {
    /// What they amount to.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(super) fn settings(self) -> Result<Settings, Vec<String>> {
        let mut mistakes = Mistakes::default();
        let listen = mistakes.parsed("--listen", &self.listen, "an address, as in 10.77.0.1");
        let admin_listen = match &self.admin_listen {
            Some(text) => mistakes.parsed("--admin-listen", text, "an address, as in 127.0.0.1"),
            None => listen,
        };
        let ports = [("--xds-port", &self.xds_port), ("--certs-port", &self.certs_port), ("--admin-port", &self.admin_port)];
        let ports = ports.map(|(flag, text)| mistakes.port(flag, text));
        let trust_domain = mistakes.kept("--trust-domain", &self.trust_domain, self.trust_domain.parse::<TrustDomain>());
        let default_policy =
            mistakes.kept("--default-policy", &self.default_policy, self.default_policy.parse::<DefaultPolicy>());
        let leaf_lifetime = mistakes.kept("--leaf-lifetime", &self.leaf_lifetime, lifetime(&self.leaf_lifetime));
        let log = mistakes.kept("--log", &self.log, EnvFilter::try_new(&self.log));
        for (flag, amount) in [
            ("--proxy-cpu-request", &self.proxy_cpu_request),
            ("--proxy-memory-request", &self.proxy_memory_request),
            ("--proxy-memory-limit", &self.proxy_memory_limit),
        ] {
            let _ = amount.as_ref().map(|amount| mistakes.kept(flag, amount, inject::quantity(amount)));
        }
        let source = mistakes.source(self.source, self.kubernetes);
        let webhook_port = match self.webhook_port.as_str() {
            "0" => Some(0),
            text => mistakes.port("--webhook-port", text),
        };
        let secret = match (self.ca_secret, self.kubernetes) {
            (None, true) if self.ca_dir.is_none() && self.ca_cert.is_none() => Some(CA_SECRET.to_owned()),
            (secret, _) => secret,
        };
        let ca = match secret {
            Some(_) if !self.kubernetes => mistakes.ca_wrong("--ca-secret is for --kubernetes"),
            Some(secret) if self.ca_dir.is_none() && self.ca_cert.is_none() => Some(Ca::Secret(secret)),
            Some(_) => mistakes.ca_wrong("two CAs are named"),
            None => mistakes.ca(self.ca_dir, self.ca_cert, self.ca_key),
        };
        match (source, ca, trust_domain, default_policy, listen, ports, admin_listen, leaf_lifetime, log) {
            (
                Some(source),
                Some(ca),
                Some(trust_domain),
                Some(default_policy),
                Some(listen),
                [Some(xds_port), Some(certs_port), Some(admin_port)],
                Some(admin_listen),
                Some(leaf_lifetime),
                Some(log),
            ) if mistakes.0.is_empty() => {
                let bundle_out = self.bundle_out;
                let defaults = inject::Settings::default();
                let injection = webhook_port.filter(|port| *port > 0 && self.kubernetes).map(|port| Injection {
                    port,
                    webhook: self.webhook_name,
                    settings: inject::Settings {
                        image: self.proxy_image.unwrap_or(defaults.image),
                        pull_policy: self.proxy_pull_policy,
                        trust_domain: trust_domain.to_string(),
                        control: format!("weft-control.{}.svc", self.namespace),
                        log: self.proxy_log.unwrap_or(defaults.log),
                        cpu_request: self.proxy_cpu_request.unwrap_or(defaults.cpu_request),
                        memory_request: self.proxy_memory_request.unwrap_or(defaults.memory_request),
                        memory_limit: self.proxy_memory_limit.unwrap_or(defaults.memory_limit),
                    },
                });
                let replica = self.replica.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
                mistakes.distinct([xds_port, certs_port, admin_port]);
                let settings = Settings {
                    source,
                    namespace: self.namespace,
                    replica,
                    injection,
                    ca,
                    bundle_out,
                    trust_domain,
                    default_policy,
                    listen,
                    xds_port,
                    certs_port,
                    admin_listen,
                    admin_port,
                    leaf_lifetime,
                    log,
                };
                if mistakes.0.is_empty() { Ok(settings) } else { Err(mistakes.0) }
            }
            _ => Err(mistakes.0),
        }
    }
}
