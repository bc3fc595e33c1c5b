//! A mesh in which somebody is abused, somebody abuses, and somebody goes about his work.

use std::{
    fs::File,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use tests::{Mesh, Process, python, script};

/// How long abuse goes on, in seconds.
const ABUSE: &str = "6";

/// How long good clients work, in seconds: they begin a little earlier and end a little later.
const WORK: &str = "8";

/// How long a good client waits for anything, in seconds.
const PATIENCE: f64 = 2.0;

/// Requests a good client must get through, of about 800.
const ENOUGH: u64 = 700;

/// Of them, how many may fail.
const FAILED_MAX: u64 = 1;

/// KiB by which a sidecar may grow. Some 1,500 connections of abusers are open at once, and without optimisation, as here,
/// each of them costs about 48.
const MEMORY_MAX: u64 = 96 << 10;

/// Descriptors by which a sidecar may differ from its former self: lines of the mesh that good clients keep.
const DESCRIPTORS_SLACK: usize = 10;

const SHOP: &str = "
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec:
  selector: {app: cart}
  ports: [{name: one, port: 8080}, {name: two, port: 8082}, {name: echo, port: 9000}]
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: cart, namespace: shop, labels: {app: cart}}
spec:
  command: [sh, -c, 'mkdir -p run && { python3 app.py & } && exec nginx -c $PWD/nginx.conf -p $PWD/run']
  serviceAccountName: cart
  ports: [{containerPort: 8080}, {containerPort: 8082}, {containerPort: 9000}]
  readinessProbe: {tcpSocket: {port: 9000}, periodSeconds: 0.5}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: steady, namespace: shop, labels: {app: steady}}
spec: {command: [sleep, infinity]}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: insider, namespace: shop, labels: {app: insider}}
spec: {command: [sleep, infinity]}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: stranger, namespace: shop, labels: {app: stranger, weft.dev/inject: disabled}}
spec: {command: [sleep, infinity]}
";

pub(crate) struct World {
    mesh: Mesh,
    sidecars: Vec<Watched>,
}

/// A sidecar, and what it cost before anybody was abused.
struct Watched {
    pod: &'static str,
    process: Process,
    memory: u64,
    descriptors: usize,
}

impl World {
    pub(crate) fn up() -> Self {
        let app = std::fs::read_to_string(script("torture/app.py")).expect("the app");
        let mesh = Mesh::up_with(SHOP, &[("nginx.conf", include_str!("nginx.conf")), ("app.py", &app)]);
        File::create(mesh.folder().join("big")).and_then(|big| big.set_len(256 << 20)).expect("a big file");
        ["cart-0", "steady-0", "insider-0", "stranger-0"].iter().for_each(|pod| mesh.ready(pod));
        let mut world = Self { mesh, sidecars: Vec::new() };
        for pod in ["steady-0", "insider-0"] {
            world.work(pod, "1").into_iter().for_each(|client| drop(ended(client)));
        }
        world.sidecars = ["cart-0", "insider-0"].map(|pod| Watched::new(&world.mesh, pod)).into();
        world
    }

    /// Lets abusers loose in `pod` while good clients work in another, and in the same one if it has a sidecar. Tells what
    /// good clients or sidecars have to complain about.
    pub(crate) fn bears(&self, pod: &str, (script, kinds): (&str, &[&str])) -> Vec<String> {
        let mut clients = self.work("steady-0", WORK);
        if pod == "insider-0" {
            clients.extend(self.work(pod, WORK));
        }
        thread::sleep(Duration::from_millis(500));
        let abusers = self.abuse(pod, script, kinds);
        let peaks = thread::scope(|scope| {
            let peaks: Vec<_> = self.sidecars.iter().map(|watched| scope.spawn(|| watched.peak())).collect();
            peaks.into_iter().map(|peak| peak.join().expect("a number")).collect::<Vec<u64>>()
        });
        let mut complaints: Vec<String> = clients.into_iter().filter_map(|client| complaint(&ended(client))).collect();
        let output = ended(abusers);
        println!("{}", String::from_utf8_lossy(&output.stdout));
        if !output.status.success() {
            complaints.push(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        for (watched, peak) in self.sidecars.iter().zip(peaks) {
            complaints.extend(watched.unbounded(peak));
            complaints.extend(watched.unreleased());
        }
        complaints.into_iter().map(|complaint| format!("{pod}, {kinds:?}: {complaint}")).collect()
    }

    /// Whether the mesh has told of a panic.
    pub(crate) fn panicked(&self) -> bool {
        self.mesh.log().contains("panicked")
    }

    /// Good clients in `pod`: of HTTP/1, of HTTP/2 and of an echo, 100 requests a second each.
    fn work(&self, pod: &str, seconds: &str) -> Vec<Child> {
        let echo = script("torture/steady.py");
        let patience = PATIENCE.to_string();
        let load = ["h2load", "-D", seconds, "-c", "4", "--rps", "25"];
        let commands = [
            [&load[..], &["--h1", "http://cart:8080/"]].concat(),
            [&load[..], &["http://cart:8082/"]].concat(),
            vec!["python3", &echo, "cart", "9000", seconds, &patience],
        ];
        commands.iter().map(|command| spawned(self.mesh.inside(pod, command))).collect()
    }

    fn abuse(&self, pod: &str, name: &str, kinds: &[&str]) -> Child {
        let (python, script) = (python(), script(&format!("torture/{name}")));
        let words = [&[python.as_str(), &script, "cart", ABUSE], kinds].concat();
        spawned(self.mesh.inside(pod, &words))
    }
}

impl Watched {
    fn new(mesh: &Mesh, pod: &'static str) -> Self {
        let process = mesh.sidecar(pod);
        let memory = process.memory().expect("a sidecar");
        let descriptors = process.descriptors().expect("a sidecar");
        Self { pod, process, memory, descriptors }
    }

    /// The most memory it holds from now on until the abuse is over.
    fn peak(&self) -> u64 {
        let seconds: u64 = WORK.parse().expect("a number");
        let samples = (0..seconds * 20).map(|_| {
            thread::sleep(Duration::from_millis(50));
            self.process.memory().expect("the sidecar lives")
        });
        samples.max().unwrap_or_default()
    }

    fn unbounded(&self, peak: u64) -> Option<String> {
        let (pod, before) = (self.pod, self.memory);
        let told = format!("the sidecar of {pod} held {before} KiB before, and {peak} KiB at the peak");
        println!("{told}");
        (peak >= before + MEMORY_MAX).then_some(told)
    }

    fn unreleased(&self) -> Option<String> {
        let most = self.descriptors + DESCRIPTORS_SLACK;
        for _ in 0..100 {
            if self.process.descriptors().is_some_and(|now| now <= most) {
                return None;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let now = self.process.descriptors();
        Some(format!("the sidecar of {} had {} descriptors before, and {now:?} long after", self.pod, self.descriptors))
    }
}

fn spawned(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

fn ended(child: Child) -> Output {
    child.wait_with_output().expect("it ends")
}

/// What a good client has to complain about: too little was done, too much failed, or it had to wait too long.
fn complaint(output: &Output) -> Option<String> {
    let told = String::from_utf8_lossy(&output.stdout);
    let line = |starts: &[&str]| told.lines().find(|line| starts.iter().any(|start| line.starts_with(start))).unwrap_or_default();
    let counts = line(&["requests:", "echoes:"]);
    let words: Vec<&str> = counts.split([' ', ',']).collect();
    let count = |what: &str| -> Option<u64> { words[words.iter().position(|word| *word == what)? - 1].parse().ok() };
    let failed = ["failed", "errored", "timeout"].into_iter().filter_map(count).sum::<u64>();
    let enough = count("succeeded").is_some_and(|succeeded| succeeded >= ENOUGH);
    // h2load tells the longest time in the second column: 12.34ms, 1.23s. The echo's client counts what took too long as failed.
    let longest = line(&["time for request:"]).split_whitespace().nth(4).unwrap_or_default();
    let seconds = longest.strip_suffix('s').and_then(|number| number.parse::<f64>().ok());
    let patient = seconds.is_none_or(|seconds| seconds < PATIENCE);
    println!("{counts}, longest {longest}");
    (!enough || failed > FAILED_MAX || !patient)
        .then(|| format!("{counts}, longest {longest}\n{}", String::from_utf8_lossy(&output.stderr)))
}
