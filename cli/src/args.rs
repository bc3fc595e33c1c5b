//! What may be typed.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXIT_CODES: &str = "\
Exit codes:
  0    ended as asked
  1    something failed while it ran; for demo: a request failed, or a hop of the mesh was not mutual TLS; for check:
       something is wrong; for routes: so it is with a route or a policy
  2    a mistake in the command line or in the manifests; nothing was started; for check: the cluster cannot be asked
  125  run: the command was not started, because of the mesh
  126  run: the command cannot be executed
  127  run: there is no such command
  130  ended at once by a second Ctrl-C
For run, any other code is the command's own; 128+N when signal N ended it.";

/// A service mesh: who talks to whom, proven, balanced and measured. Without a cluster, on this machine.
#[derive(Debug, Parser)]
#[command(name = "weft", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run the mesh that the manifests in a directory describe, and follow their edits, until Ctrl-C.
    Up(UpArgs),
    /// Run one more command inside a running mesh.
    Run(RunArgs),
    /// Run a small shop through the mesh and show its traffic.
    Demo(DemoArgs),
    /// Print the manifests that make a cluster a mesh, or apply them.
    Install(InstallArgs),
    /// Take the mesh out of a cluster: what was installed, and what control has made since.
    Uninstall(UninstallArgs),
    /// Look whether a cluster is fit for the mesh, and whether the mesh in it is as it must be.
    Check(CheckArgs),
    /// Show the routes and policies in a directory of manifests, and what is wrong with each of them.
    Routes(RoutesArgs),
    /// Print what a gRPC client in a pod without a sidecar begins with, to follow the mesh by itself (xds:///SERVICE.NAMESPACE:PORT).
    XdsBootstrap(XdsBootstrapArgs),
    /// Print manifests with a sidecar in every pod: what the webhook of a cluster does by itself.
    Inject(InjectArgs),
    /// Print manifests without the sidecars that were added to them.
    Uninject(ManifestArgs),
}

#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// Namespace in which control runs.
    #[arg(long, value_name = "NAME", default_value = "weft-system")]
    pub(crate) namespace: String,
    /// Image of control and of sidecars [default: that of this release].
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// When it is pulled: Always, IfNotPresent or Never.
    #[arg(long, value_name = "POLICY", default_value = "IfNotPresent")]
    pub(crate) pull_policy: String,
    /// Trust domain of the mesh.
    #[arg(long, value_name = "NAME", default_value = "cluster.local")]
    pub(crate) trust_domain: String,
    /// Replicas of control, 1 to 10.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=10))]
    pub(crate) replicas: u8,
    /// Who may call an app when neither its pod nor its namespace says so: allow-all, allow-authenticated or deny.
    #[arg(long, value_name = "POLICY", default_value = "allow-all")]
    pub(crate) default_policy: String,
    #[command(flatten)]
    pub(crate) amounts: Amounts,
    /// Leave out the kinds of our own (CustomResourceDefinitions).
    #[arg(long)]
    pub(crate) skip_crds: bool,
    /// Apply them to the cluster that KUBECONFIG names, and wait until control runs.
    #[arg(long)]
    pub(crate) apply: bool,
    /// Take fields that others have written, with --apply.
    #[arg(long, requires = "apply")]
    pub(crate) force_conflicts: bool,
}

/// What a sidecar may have, unless its pod says otherwise.
#[derive(Debug, Args)]
pub(crate) struct Amounts {
    /// CPU that the scheduler sets aside for a sidecar.
    #[arg(long, value_name = "AMOUNT", default_value_t = inject::Settings::default().cpu_request)]
    pub(crate) proxy_cpu_request: String,
    /// Memory that the scheduler sets aside for a sidecar.
    #[arg(long, value_name = "AMOUNT", default_value_t = inject::Settings::default().memory_request)]
    pub(crate) proxy_memory_request: String,
    /// Memory beyond which a sidecar is killed.
    #[arg(long, value_name = "AMOUNT", default_value_t = inject::Settings::default().memory_limit)]
    pub(crate) proxy_memory_limit: String,
}

#[derive(Debug, Args)]
pub(crate) struct UninstallArgs {
    /// Namespace in which control runs; it is removed too.
    #[arg(long, value_name = "NAME", default_value = "weft-system")]
    pub(crate) namespace: String,
    /// Even while pods have sidecars, and policies are there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Before an installation: the cluster alone, and whether you may install.
    #[arg(long)]
    pub(crate) pre: bool,
    /// Namespace in which control runs.
    #[arg(long, value_name = "NAME", default_value = "weft-system")]
    pub(crate) namespace: String,
}

#[derive(Debug, Args)]
pub(crate) struct RoutesArgs {
    /// Directory of YAML files.
    #[arg(default_value = ".", value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// Only those of this namespace.
    #[arg(long, short, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// How they are shown.
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

/// For people, or for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ManifestArgs {
    /// File of manifests; - for standard input.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) filename: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct InjectArgs {
    #[command(flatten)]
    pub(crate) manifest: ManifestArgs,
    /// Image of the sidecar [default: that of this release].
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// Namespace in which control runs.
    #[arg(long, value_name = "NAME", default_value = "weft-system")]
    pub(crate) control_namespace: String,
    /// Trust domain of the mesh.
    #[arg(long, value_name = "NAME", default_value = "cluster.local")]
    pub(crate) trust_domain: String,
}

#[derive(Debug, Args)]
pub(crate) struct XdsBootstrapArgs {
    /// The client's pod [default: what HOSTNAME says].
    #[arg(long, value_name = "NAME", env = "HOSTNAME", hide_env = true)]
    pub(crate) pod: String,
    /// Namespace of the pod.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) namespace: String,
    /// Where the pod's agent listens.
    #[arg(long, value_name = "ADDRESS", default_value_t = proxy::AGENT_ADDRESS)]
    pub(crate) agent: std::net::SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Directory of YAML files: `Service` (v1) and `Workload` (weft.dev/v1alpha1).
    pub(crate) directory: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Directory of the mesh to join, as given to `weft up`.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) mesh: PathBuf,
    /// Name of the pod; must be free in its namespace.
    #[arg(long)]
    pub(crate) name: String,
    /// Namespace to join.
    #[arg(long, default_value = "default")]
    pub(crate) namespace: String,
    /// Service account to run as: with the namespace, who the command is to its peers.
    #[arg(long, default_value = "default")]
    pub(crate) service_account: String,
    /// Label, by which services select it; may be repeated. Without any: app=NAME.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
    /// Port the command serves: 8080, or web:8080 to name it; may be repeated. It takes calls of services once the first
    /// of its ports accepts connections.
    #[arg(long = "port", value_name = "[NAME:]PORT", value_parser = port)]
    pub(crate) ports: Vec<(Option<String>, u16)>,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<std::ffi::OsString>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
    /// End after this time (10s, 2m); otherwise on Ctrl-C.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) time: Option<Duration>,
    /// Print one JSON object at the end instead of a live table.
    #[arg(long)]
    pub(crate) json: bool,
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(String::from("a label is KEY=VALUE")),
    }
}

fn port(text: &str) -> Result<(Option<String>, u16), String> {
    let (name, number) = text.split_once(':').map_or((None, text), |(name, number)| (Some(name.to_owned()), number));
    match number.parse() {
        Ok(number) if number > 0 => Ok((name, number)),
        _ => Err(format!("`{number}` is not a port from 1 to 65535")),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time such as 10s, 500ms or 2m");
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * seconds).ok().filter(|time| !time.is_zero()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_nonsense_is_named() {
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "s", "0s", "ten", "10y", "-1s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_port_may_have_a_name() {
        assert_eq!(port("8080"), Ok((None, 8080)));
        assert_eq!(port("web:80"), Ok((Some(String::from("web")), 80)));
        assert!(port("web:0").is_err());
        assert!(port("70000").is_err());
    }

    #[test]
    fn the_command_follows_two_dashes() {
        let typed = Arguments::try_parse_from(["weft", "run", "--name", "x", "--", "curl", "-s", "cart"]).unwrap();
        let Verb::Run(run) = typed.verb else { panic!("another verb") };
        assert_eq!(run.command, ["curl", "-s", "cart"]);
        assert!(Arguments::try_parse_from(["weft", "run", "--name", "x"]).is_err());
    }
}
