//! A real Kubernetes with a node, on which pods run (see `tests/cluster`). It takes root and what a node needs; where it cannot be had
//! that is said, loudly.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{
    cluster::{Cluster, kubernetes},
    mesh::{go_program, programs},
};

/// Image of control and of sidecars in the tests.
pub const WEFT_IMAGE: &str = "weft.test/weft:1";

/// Image of apps and of their clients: nginx, curl, h2load, Redis, gRPC streams, busybox.
pub const APPS_IMAGE: &str = "weft.test/apps:1";

/// What a node needs of the machine, beside root.
const NEEDED: [&str; 4] = ["/usr/bin/containerd", "/usr/sbin/runc", "/usr/lib/cni/bridge", "/usr/sbin/iptables"];

/// The cluster of this process, with a node; `None` where there can be none. With `KUBECONFIG` it is the cluster that that names, whose
/// nodes must hold our images.
pub fn with_node() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    let named = || {
        let cluster = Cluster::named()?;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/cluster/images");
        fs::create_dir_all(&folder).expect("a folder");
        let images = images(&programs(), &folder);
        eprintln!("\n!!! The nodes of this cluster must hold {WEFT_IMAGE} and {APPS_IMAGE}: load {images:?} there.\n");
        Some(cluster)
    };
    SHARED.get_or_init(|| named().or_else(|| node_of(&programs()))).as_ref()
}

/// One with a node whose image of the mesh holds the programs of the folder `programs`; `None` where there can be none.
pub fn node_of(programs: &Path) -> Option<Cluster> {
    let missing: Vec<&str> = NEEDED.into_iter().filter(|file| !Path::new(file).exists()).collect();
    if !rustix::process::geteuid().is_root() || !missing.is_empty() {
        eprintln!("\n!!! NO NODE: pods are not tried on this machine: it takes root, and is missing {missing:?}\n");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let [weft, apps] = images(programs, folder.path());
    Some(Cluster::up(&["--level", "2", "--image", weft.to_str()?, "--image", apps.to_str()?]))
}

/// Archives of the images, in `folder`: the mesh, with the programs of the folder `programs`, and apps.
fn images(programs: &Path, folder: &Path) -> [PathBuf; 2] {
    let weft = image(folder, WEFT_IMAGE, &["--user", "7717", "--entrypoint", "/usr/local/bin/weft-proxy"], &|image| {
        for name in ["weft-proxy", "weft-control"] {
            let program = stripped(&programs.join(name), folder);
            image.arg("--program").arg(format!("{}:/usr/local/bin/{name}", program.display()));
        }
    });
    let apps = image(folder, APPS_IMAGE, &["--entrypoint", "/bin/busybox"], &|image| {
        for program in
            ["/usr/sbin/nginx", "/usr/bin/curl", "/usr/bin/h2load", "/usr/bin/redis-server", "/usr/bin/redis-cli", "/bin/busybox"]
        {
            image.args(["--program", program]);
        }
        image.arg("--program").arg(format!("{}:/usr/bin/grpc-streams", go_program("grpc-streams")));
        for applet in ["sh", "sleep", "cat", "wget", "nc", "true", "false"] {
            image.arg("--link").arg(format!("busybox:/bin/{applet}"));
        }
        image.args(["--file", "/etc/nginx/mime.types", "--file", "/etc/passwd", "--file", "/etc/group"]);
    });
    [weft, apps]
}

/// A program of ours without what only debuggers need: images are copied about.
fn stripped(program: &Path, folder: &Path) -> PathBuf {
    let to = folder.join(program.file_name().expect("a program's name"));
    let done = Command::new("strip").arg("-o").arg(&to).arg(program).status().expect("strip, of binutils");
    assert!(done.success(), "{} cannot be stripped", program.display());
    to
}

fn image(folder: &Path, name: &str, flags: &[&str], fill: &dyn Fn(&mut Command)) -> PathBuf {
    let out = folder.join(name.replace(['/', ':'], "-"));
    let mut image = kubernetes();
    image.args(["image", "--name", name]).args(flags).arg("--out").arg(&out);
    fill(&mut image);
    assert!(image.status().expect("tests/cluster is built by `./check`").success(), "{name} cannot be made");
    out
}
