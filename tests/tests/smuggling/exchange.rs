//! Sending sequences of bytes from inside a mesh, and hearing what came back.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};
use tests::{App, Mesh, script};

use crate::backends::Way;

/// Bytes to send, and how to tell that everything came back.
pub struct Sequence {
    /// Where it is sent, each time on a connection of its own.
    pub services: Vec<&'static str>,
    pub pieces: Vec<Vec<u8>>,
    /// Between two pieces, in seconds.
    pub pause: f64,
    /// Nothing comes behind it.
    pub until: String,
    /// Silence that is longer is the end; in seconds.
    pub patience: f64,
}

/// Long enough for two pieces to arrive as two.
pub const APART: f64 = 0.001;

/// Long enough for everybody to have dealt with the first piece when the second arrives.
pub const LATER: f64 = 0.06;

/// How long a sequence waits that expects an answer.
pub const PATIENT: f64 = 3.0;

/// What came back.
#[derive(Debug)]
pub struct Came {
    pub bytes: Vec<u8>,
    /// `answered`, `closed`, `reset`, `silent`; or what went wrong with the request that followed on another connection.
    pub end: String,
}

/// What came back from every service.
#[derive(Default)]
pub struct Told(BTreeMap<(String, usize), Vec<Came>>);

impl Told {
    /// What came back from `service` for the sequence of that number. A second entry tells that an innocent request after it had
    /// no answer.
    pub fn of(&self, service: &str, number: usize) -> &[Came] {
        self.0.get(&(service.to_owned(), number)).map_or(&[], Vec::as_slice)
    }
}

/// A pod without a sidecar, to send from.
pub fn outside() -> App {
    App::new("outside", 9, &["sleep", "infinity"]).workload("ports", json!([])).unmeshed()
}

/// Sends all sequences to their services. The mesh has the pod [`outside`] in it.
pub fn send(mesh: &Mesh, way: Way, sequences: &[Sequence]) -> Told {
    let work: Vec<Value> = sequences.iter().enumerate().map(|(number, sequence)| sequence.json(number)).collect();
    let file = mesh.folder().join("work");
    fs::write(&file, Value::from(work).to_string()).expect("the work");
    let command = ["python3", &script("smuggling/client.py"), &file.display().to_string()];
    let lines = if way == Way::Inbound { mesh.succeed_inside("outside-0", &command) } else { mesh.succeed("caller", &command) };
    let mut told = Told::default();
    for line in lines.lines() {
        let (key, came) = heard(&serde_json::from_str(line).expect("a line of JSON"));
        told.0.entry(key).or_default().push(came);
    }
    told
}

impl Sequence {
    fn json(&self, number: usize) -> Value {
        let Self { services, pieces, pause, until, patience } = self;
        let pieces: Vec<String> = pieces.iter().map(|piece| text(piece)).collect();
        json!({"number": number, "services": services, "pieces": pieces, "pause": pause, "until": until, "patience": patience})
    }
}

fn heard(line: &Value) -> ((String, usize), Came) {
    let word = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let number = line["number"].as_u64().and_then(|number| usize::try_from(number).ok()).expect("a number");
    ((word("service"), number), Came { bytes: bytes(&word("came")), end: word("end") })
}

/// Bytes as the code points of the same numbers.
pub fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars().filter_map(|letter| u8::try_from(u32::from(letter)).ok()).collect()
}
