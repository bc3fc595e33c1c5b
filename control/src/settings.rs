//! What the command line and the environment say, and everything that is wrong with it.

use std::{
    ffi::OsString,
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use certs::{issue::LEAF_MAX, name::TrustDomain};
use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::{index::DefaultPolicy, serve::LIFE_MIN};

/// The control component of the Weft service mesh: certificates, discovery and routing for its proxies.
// Texts, all of them: each is read by us, so that every mistake is reported at once and not the first alone.
#[derive(Debug, Parser)]
#[command(name = "weft-control", version)]
struct Flags {
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

/// What control runs by.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) source: Source,
    /// Where we run, in a cluster.
    pub(crate) namespace: String,
    /// What tells this replica from others.
    pub(crate) replica: String,
    /// How sidecars are added; `None` where they are not.
    pub(crate) injection: Option<Injection>,
    pub(crate) ca: Ca,
    pub(crate) bundle_out: Option<PathBuf>,
    pub(crate) trust_domain: TrustDomain,
    /// Who may call a pod when neither it nor its namespace says so.
    pub(crate) default_policy: DefaultPolicy,
    pub(crate) listen: IpAddr,
    pub(crate) xds_port: u16,
    pub(crate) certs_port: u16,
    pub(crate) admin_listen: IpAddr,
    pub(crate) admin_port: u16,
    /// From 10 s to 24 h.
    pub(crate) leaf_lifetime: Duration,
    pub(crate) log: EnvFilter,
}

/// How sidecars are added.
#[derive(Clone, Debug)]
pub(crate) struct Injection {
    pub(crate) port: u16,
    /// Name of the webhook configuration.
    pub(crate) webhook: String,
    pub(crate) settings: inject::Settings,
}

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A directory of manifests.
    Folder(PathBuf),
    /// The API server of a cluster.
    Cluster,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Cluster => f.write_str("the API server"),
        }
    }
}

/// Where the CA is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ca {
    /// In a Secret of our namespace, and made there if it is not.
    Secret(String),
    /// In a directory, and made there if it is not.
    Folder(PathBuf),
    /// In two files that are there.
    Files { certificate: PathBuf, key: PathBuf },
}

/// Why there are no settings.
#[derive(Debug)]
pub(crate) enum NoSettings {
    /// The flags are not ours, or help was asked for.
    Flags(clap::Error),
    /// What they say cannot be used: every mistake.
    Mistakes(Vec<String>),
}

impl Settings {
    /// Reads `args`, which begin with the program's name, and the environment.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(crate) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, NoSettings> {
        Flags::try_parse_from(args).map_err(NoSettings::Flags)?.settings().map_err(NoSettings::Mistakes)
    }
}

impl Flags {
    fn settings(self) -> Result<Settings, Vec<String>> {
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
        let source = mistakes.source(self.source, self.kubernetes);
        let webhook_port = match self.webhook_port.as_str() {
            "0" => Some(0),
            text => mistakes.port("--webhook-port", text),
        };
        let secret = match (self.ca_secret, self.kubernetes) {
            (None, true) if self.ca_dir.is_none() && self.ca_cert.is_none() => Some(String::from("weft-ca")),
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
                        ..inject::Settings::default()
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

/// What was found wrong so far.
#[derive(Default)]
struct Mistakes(Vec<String>);

impl Mistakes {
    fn kept<T, E: std::fmt::Display>(&mut self, flag: &str, text: &str, read: Result<T, E>) -> Option<T> {
        read.map_err(|error| self.0.push(format!("{flag} {text}: {error}"))).ok()
    }

    fn parsed<T: FromStr>(&mut self, flag: &str, text: &str, expected: &str) -> Option<T> {
        self.kept(flag, text, text.parse().map_err(|_| format!("expected {expected}")))
    }

    fn port(&mut self, flag: &str, text: &str) -> Option<u16> {
        let port = text.parse().ok().filter(|port| *port > 0);
        self.kept(flag, text, port.ok_or("expected a port from 1 to 65535"))
    }

    fn distinct(&mut self, [xds, certificates, admin]: [u16; 3]) {
        if xds == certificates || certificates == admin || admin == xds {
            self.0.push(String::from("--xds-port, --certs-port and --admin-port must differ"));
        }
    }

    fn source(&mut self, source: Option<PathBuf>, kubernetes: bool) -> Option<Source> {
        let Some(source) = source else {
            if !kubernetes {
                self.0.push(String::from("--source is missing: the directory of manifests to follow; or give --kubernetes"));
                return None;
            }
            return Some(Source::Cluster);
        };
        if kubernetes {
            self.0.push(String::from("--source and --kubernetes are both given: only one can be followed"));
        }
        if !source.is_dir() {
            self.0.push(format!("--source {}: there is no such directory", source.display()));
        }
        Some(Source::Folder(source))
    }

    fn ca(&mut self, folder: Option<PathBuf>, certificate: Option<PathBuf>, key: Option<PathBuf>) -> Option<Ca> {
        match (folder, certificate, key) {
            (Some(folder), None, None) => Some(Ca::Folder(folder)),
            (None, Some(certificate), Some(key)) => {
                self.is_file("--ca-cert", &certificate);
                self.is_file("--ca-key", &key);
                Some(Ca::Files { certificate, key })
            }
            (None, None, None) => self.ca_wrong("a CA is missing"),
            (Some(_), ..) => self.ca_wrong("two CAs are named"),
            (None, ..) => self.ca_wrong("half of a CA is named"),
        }
    }

    fn ca_wrong(&mut self, what: &str) -> Option<Ca> {
        self.0.push(format!("{what}: give --ca-dir, or --ca-cert with --ca-key"));
        None
    }

    fn is_file(&mut self, flag: &str, path: &Path) {
        if !path.is_file() {
            self.0.push(format!("{flag} {}: there is no such file", path.display()));
        }
    }
}

/// Reads `90s`, `30m`, `24h`, or a number of seconds.
fn lifetime(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(String::from("expected a time, as in 90s, 30m or 24h")),
    };
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    let life = seconds.map(Duration::from_secs).ok_or("expected a time, as in 90s, 30m or 24h")?;
    if (LIFE_MIN..=LEAF_MAX).contains(&life) {
        return Ok(life);
    }
    Err(format!("expected {} s to {} h", LIFE_MIN.as_secs(), LEAF_MAX.as_secs() / 3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flags: &[&str]) -> Result<Settings, NoSettings> {
        Settings::read(["weft-control"].iter().chain(flags).map(OsString::from))
    }

    #[test]
    fn little_needs_to_be_said() {
        let settings = read(&["--source", "/", "--ca-dir", "/ca"]).unwrap();
        assert_eq!(settings.ca, Ca::Folder("/ca".into()));
        assert_eq!((settings.xds_port, settings.certs_port, settings.admin_port), (17010, 17011, 17013));
        assert_eq!(settings.admin_listen, settings.listen);
        assert_eq!(settings.leaf_lifetime, LEAF_MAX);
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let flags = [
            "--listen",
            "here",
            "--xds-port",
            "0",
            "--trust-domain",
            "A B",
            "--default-policy",
            "x",
            "--leaf-lifetime",
            "2d",
            "--ca-cert",
            "/none",
        ];
        let Err(NoSettings::Mistakes(mistakes)) = read(&flags) else { panic!("they were accepted") };
        for flag in [
            "--listen here",
            "--xds-port 0",
            "--trust-domain A B",
            "--default-policy x",
            "--leaf-lifetime 2d",
            "half of a CA",
            "--source",
        ] {
            assert!(mistakes.iter().any(|mistake| mistake.contains(flag)), "{flag}: {mistakes:?}");
        }
        assert_eq!(mistakes.len(), 7, "{mistakes:?}");
    }

    #[test]
    fn a_cluster_is_followed_with_a_ca_of_its_own() {
        let settings = read(&["--kubernetes"]).unwrap();
        assert_eq!((settings.source, settings.ca), (Source::Cluster, Ca::Secret("weft-ca".into())));
        assert_eq!(read(&["--kubernetes", "--ca-dir", "/ca"]).unwrap().ca, Ca::Folder("/ca".into()));
        for wrong in [
            &["--kubernetes", "--source", "/"][..],
            &["--kubernetes", "--ca-secret", "a", "--ca-dir", "/ca"],
            &["--source", "/", "--ca-secret", "a"],
        ] {
            assert!(matches!(read(wrong), Err(NoSettings::Mistakes(_))), "{wrong:?}");
        }
    }

    #[test]
    fn a_port_is_for_one_thing() {
        let twice = read(&["--source", "/", "--ca-dir", "/ca", "--admin-port", "17010"]);
        assert!(matches!(twice, Err(NoSettings::Mistakes(mistakes)) if mistakes.len() == 1));
    }

    #[test]
    fn lives_are_read_as_people_write_them() {
        for (text, seconds) in [("90s", Some(90)), ("3600", Some(3600)), ("24h", Some(86_400)), ("30m", Some(1800))] {
            assert_eq!(lifetime(text).ok(), seconds.map(Duration::from_secs), "{text}");
        }
        for text in ["25h", "9s", "", "h", "1.5h", "99999999999999999999h", "1d"] {
            assert!(lifetime(text).is_err(), "{text}");
        }
    }
}
