//! A mesh on this machine, as a user runs it.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::wait::eventually;

/// A mesh that runs, and ends with this.
pub struct Mesh {
    folder: TempDir,
    program: Child,
    log: Arc<Mutex<String>>,
}

/// A command that runs inside a mesh.
pub struct Running {
    program: Child,
}

impl Mesh {
    /// `weft up` on a directory that holds `manifests`.
    pub fn up(manifests: &str) -> Self {
        Self::up_with(manifests, &[])
    }

    /// The same, with files beside the manifests: name and contents.
    pub fn up_with(manifests: &str, files: &[(&str, &str)]) -> Self {
        Self::up_in(manifests, files, &[])
    }

    /// The same, with variables for control and the sidecars.
    pub fn up_in(manifests: &str, files: &[(&str, &str)], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("mesh").tempdir().expect("a folder");
        for (name, contents) in files {
            fs::write(folder.path().join(name), contents).expect("a file");
        }
        fs::write(folder.path().join("mesh.yaml"), manifests).expect("the manifests");
        let mut program = weft()
            .arg("up")
            .arg(folder.path())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("weft starts; `cargo build --workspace` makes it");
        let log = Arc::new(Mutex::new(String::new()));
        follow(program.stdout.take().expect("its output"), log.clone());
        follow(program.stderr.take().expect("its errors"), log.clone());
        let mesh = Self { folder, program, log };
        mesh.says("Ctrl-C ends it");
        mesh
    }

    /// Waits until the pod `name` of the namespace `shop` may be called.
    pub fn ready(&self, name: &str) {
        self.says(&format!("shop/{name} is ready"));
    }

    /// The directory of the mesh.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces the manifests, as an editor does.
    pub fn edit(&self, manifests: &str) {
        let new = self.folder().join(".mesh.yaml.new");
        fs::write(&new, manifests).expect("the manifests");
        fs::rename(new, self.folder().join("mesh.yaml")).expect("the manifests");
    }

    /// Everything the mesh has said so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the mesh has said `text`.
    pub fn says(&self, text: &str) {
        eventually(&format!("the mesh says `{text}`"), || self.log().contains(text).then_some(()));
    }

    /// A command inside the mesh, in a pod called `name` of the namespace `shop`.
    pub fn command(&self, name: &str, command: &[&str]) -> Command {
        let mut run = weft();
        run.arg("run").arg("--mesh").arg(self.folder()).args([
            "--namespace",
            "shop",
            "--name",
            name,
            "--service-account",
            name,
            "--",
        ]);
        run.args(command).stdin(Stdio::null());
        run
    }

    /// Runs a command inside the mesh to its end.
    pub fn run(&self, name: &str, command: &[&str]) -> Output {
        self.command(name, command).output().expect("weft run")
    }

    /// Runs a command that must succeed. Returns what it wrote.
    pub fn succeed(&self, name: &str, command: &[&str]) -> String {
        self.told(command, &self.run(name, command))
    }

    /// Starts a command inside the mesh and lets it run.
    pub fn start(&self, name: &str, command: &[&str]) -> Running {
        Running::start(self.command(name, command))
    }

    /// A command in the mesh's own network namespace, where its bridge is. Takes util-linux's `nsenter`.
    pub fn on_the_bridge(&self, command: &[&str]) -> Command {
        let mut enter = self.enter();
        enter.arg("--net");
        enter.args(command);
        enter
    }

    /// Ends the mesh with `signal`, as from a terminal, and waits for it.
    pub fn end(&mut self, signal: Signal) -> ExitStatus {
        kill_process(pid(&self.program), signal).expect("weft runs");
        self.program.wait().expect("weft ends")
    }

    /// Process ids of everything the mesh consists of, as seen from here.
    pub fn processes(&self) -> Vec<u32> {
        descendants(self.program.id())
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        let _ = kill_process(pid(&self.program), Signal::TERM);
        let _ = self.program.wait();
        if thread::panicking() {
            println!("--- the mesh said:\n{}", self.log());
        }
    }
}

impl Running {
    /// Starts a command of [`Mesh::command`] or its like.
    pub fn start(mut command: Command) -> Self {
        let program = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("weft run, nsenter");
        Self { program }
    }

    /// Ends it with SIGTERM, or lets it end. Returns what it wrote.
    pub fn stop(mut self) -> Output {
        let _ = kill_process(pid(&self.program), Signal::TERM);
        self.output()
    }

    /// Waits for its end. Returns what it wrote.
    pub fn output(&mut self) -> Output {
        let read = |pipe: Option<&mut dyn Read>| {
            let mut text = Vec::new();
            pipe.map(|pipe| pipe.read_to_end(&mut text));
            text
        };
        let stdout = read(self.program.stdout.as_mut().map(|pipe| pipe as &mut dyn Read));
        let stderr = read(self.program.stderr.as_mut().map(|pipe| pipe as &mut dyn Read));
        Output { status: self.program.wait().expect("it ends"), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A script of these tests, by its path in `tests/scripts`.
pub fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name).display().to_string()
}

/// Python with gRPC's own packages, as `./check` installs it.
pub fn python() -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    workspace.join("target/python/bin/python").display().to_string()
}

/// A Go program, as `./check` installs it.
pub fn go_program(name: &str) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    workspace.join("target/go/bin").join(name).display().to_string()
}

/// A program of ours, as it was built beside this one.
pub fn program(name: &str) -> Command {
    Command::new(programs().join(name))
}

/// Where they are: beside a program, and above the folder in which cargo puts tests.
pub(crate) fn programs() -> PathBuf {
    let own = std::env::current_exe().expect("our own path");
    let folder = own.parent().expect("a folder");
    folder.parent().filter(|_| folder.ends_with("deps")).unwrap_or(folder).to_owned()
}

/// The program people type.
fn weft() -> Command {
    program("weft")
}

fn follow(pipe: impl Read + Send + 'static, log: Arc<Mutex<String>>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push_str(&line);
            log.push('\n');
        }
    });
}

fn pid(program: &Child) -> Pid {
    i32::try_from(program.id()).ok().and_then(Pid::from_raw).expect("a process id")
}

/// Children of `process`, their children, and so on; parents first.
fn descendants(process: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut next = vec![process];
    while let Some(parent) = next.pop() {
        let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let children: Vec<u32> =
            children.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()).collect();
        found.extend(&children);
        next.extend(children);
    }
    found
}
