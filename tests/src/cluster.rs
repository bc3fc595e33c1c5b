//! A real Kubernetes on this machine, without a node: API server, etcd and controllers (see `tests/cluster`).

use std::{
    fs,
    hash::{BuildHasher as _, RandomState},
    io::{BufRead as _, BufReader, Write as _},
    iter,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    mesh::{Running, program},
    wait::eventually,
};

/// How manifests are applied: as installers do that share objects with others.
const APPLY: [&str; 5] = ["apply", "--server-side", "--force-conflicts", "--filename", "-"];

/// An API server, and who serves it. It ends with this process.
pub struct Cluster {
    kubeconfig: PathBuf,
    /// It lives as long as its standard input is held.
    program: Option<Child>,
}

impl Cluster {
    /// The one of this process: the first to ask brings it up. With `KUBECONFIG` it is the cluster that that names.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::named().unwrap_or_else(|| Self::up(&["--level", "1"])))
    }

    /// The one that `KUBECONFIG` names, if it is set.
    pub(crate) fn named() -> Option<Self> {
        let kubeconfig = std::env::var_os("KUBECONFIG")?;
        Some(Self { kubeconfig: kubeconfig.into(), program: None })
    }

    /// Whether it is one that we brought up, and so ours to stop and to look into.
    pub fn is_ours(&self) -> bool {
        self.program.is_some()
    }

    /// One that is brought up with `flags`.
    pub(crate) fn up(flags: &[&str]) -> Self {
        // Its own program removes it.
        let folder = tempfile::Builder::new().prefix("cluster").tempdir().expect("a folder").keep();
        let mut up = kubernetes();
        up.arg("up").args(flags).arg("--folder").arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = up.spawn().expect("tests/cluster is built by `./check`");
        let mut said = String::new();
        BufReader::new(program.stdout.take().expect("its output")).read_line(&mut said).expect("a line");
        let kubeconfig = said.trim().strip_prefix("KUBECONFIG=");
        let kubeconfig = kubeconfig.unwrap_or_else(|| panic!("the cluster does not come up: {:?}", program.wait()));
        Self { kubeconfig: kubeconfig.into(), program: Some(program) }
    }

    /// Who has it said how to reach it.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Runs kubectl.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("kubectl")
    }

    /// Runs kubectl, which must succeed. Returns what it wrote.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        succeeded(arguments, &self.run(arguments))
    }

    /// Applies manifests.
    pub fn apply(&self, manifests: &str) {
        succeeded(&APPLY, &self.try_apply(manifests));
    }

    /// Applies manifests, or is refused.
    pub fn try_apply(&self, manifests: &str) -> Output {
        self.fed(&APPLY, manifests)
    }

    /// Deletes what manifests name, and waits until it is gone.
    pub fn delete(&self, manifests: &str) {
        const DELETE: [&str; 4] = ["delete", "--ignore-not-found", "-f", "-"];
        succeeded(&DELETE, &self.fed(&DELETE, manifests));
    }

    /// Runs kubectl, which reads manifests.
    fn fed(&self, arguments: &[&str], manifests: &str) -> Output {
        let mut command = self.command(arguments);
        let mut kubectl = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kubectl");
        kubectl.stdin.take().expect("its input").write_all(manifests.as_bytes()).expect("it reads");
        kubectl.wait_with_output().expect("it ends")
    }

    /// kubectl, to be run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = kubernetes();
        command.arg("kubectl").args(arguments).env("KUBECONFIG", &self.kubeconfig);
        command
    }

    /// Starts `weft-control` beside it, with further flags.
    pub fn control(&self, flags: &[&str]) -> Control {
        let folder = tempfile::tempdir().expect("a folder");
        let [xds, certificates, admin] = [(); 3].map(|()| free_port());
        let bundle = folder.path().join("bundle.pem");
        let mut control = program("weft-control");
        control.args(["--kubernetes", "--listen", "127.0.0.1", "--bundle-out"]).arg(&bundle);
        for (flag, port) in [("--xds-port", xds), ("--certs-port", certificates), ("--admin-port", admin)] {
            control.arg(flag).arg(port.to_string());
        }
        // Unless the flags say otherwise.
        control.env("WEFT_WEBHOOK_PORT", "0").args(flags).env("KUBECONFIG", &self.kubeconfig).stdin(Stdio::null());
        let control = Control { running: Running::start(control), xds, certificates, admin, bundle, _folder: folder };
        eventually("control has read everything", || get(admin, "/ready").map(drop));
        control
    }
}

/// A `weft-control` that runs.
pub struct Control {
    running: Running,
    /// Its ports on 127.0.0.1.
    pub xds: u16,
    /// The same.
    pub certificates: u16,
    /// The same.
    pub admin: u16,
    /// Its trust bundle.
    pub bundle: PathBuf,
    _folder: TempDir,
}

impl Control {
    /// What it knows.
    pub fn config(&self) -> Value {
        serde_json::from_str(&get(self.admin, "/config").expect("its admin port")).expect("JSON")
    }

    /// Its metrics.
    pub fn metrics(&self) -> String {
        get(self.admin, "/metrics").expect("its admin port")
    }

    /// Ends it.
    pub fn stop(self) -> Output {
        self.running.stop()
    }
}

/// A page of an admin port of this machine; `None` unless it is given with 200.
pub fn get(port: u16, path: &str) -> Option<String> {
    let asked = Command::new("curl").args(["-sf", "-m", "5", &format!("http://127.0.0.1:{port}{path}")]).output().expect("curl");
    asked.status.success().then(|| String::from_utf8_lossy(&asked.stdout).into_owned())
}

/// Where the next port is looked for: somewhere else in every process.
static NEXT_PORT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one(()) % 12_000));

/// A port that nobody listens on now, and another each time. It is below those that the kernel gives to outgoing connections (32768 and
/// more, unless `ip_local_port_range` says otherwise), or one of these might have it before it is listened on.
pub fn free_port() -> u16 {
    let next = || u16::try_from(20_000 + NEXT_PORT.fetch_add(1, Ordering::Relaxed) % 12_000).ok();
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    iter::repeat_with(next).take(12_000).flatten().find(is_free).expect("a free port")
}

/// Helm.
pub fn helm() -> Command {
    Command::new(kubernetes().get_program().to_string_lossy().replace("bin/cluster", "bin/helm"))
}

/// The programs of Kubernetes, in one.
pub(crate) fn kubernetes() -> Command {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    Command::new(workspace.join("target/cluster/bin/cluster"))
}

fn succeeded(arguments: &[&str], output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {}: {told}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A file with a secret in it.
pub fn secret_file(folder: &Path, name: &str, secret: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, secret).expect("a file");
    path
}
