//! What control runs by: what the command line and the environment say, and everything that is wrong with it.

mod flags;
mod mistakes;

use std::{ffi::OsString, fmt, net::IpAddr, path::PathBuf, time::Duration};

use certs::name::TrustDomain;
use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use crate::index::DefaultPolicy;
use flags::Flags;

/// The Secret of the CA, unless another is named.
pub(crate) const CA_SECRET: &str = "weft-ca";

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

#[cfg(test)]
mod tests {
    use certs::issue::LEAF_MAX;

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
}
