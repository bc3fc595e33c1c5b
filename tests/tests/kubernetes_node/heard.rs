//! What a command says while it goes on, and when.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use tests::PATIENCE;

/// A line, and when it came.
pub(crate) type Line = (Instant, String);

/// A command that goes on. It ends with this.
pub(crate) struct Heard {
    command: Child,
    lines: Receiver<Line>,
}

impl Heard {
    pub(crate) fn of(mut command: Command) -> Self {
        let mut command = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it runs");
        let said = BufReader::new(command.stdout.take().expect("its output"));
        let (sender, lines) = channel();
        // It ends with the output, or with the one who listens.
        thread::spawn(move || said.lines().map_while(Result::ok).try_for_each(|line| sender.send((now(), line))));
        Self { command, lines }
    }

    /// What has come since this was asked last.
    pub(crate) fn so_far(&self) -> Vec<Line> {
        self.lines.try_iter().collect()
    }

    /// The next line.
    pub(crate) fn next(&self) -> Line {
        self.lines.recv_timeout(PATIENCE).expect("a line")
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        let _ = self.command.kill();
        let _ = self.command.wait();
    }
}

#[allow(clippy::disallowed_methods)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The one in the middle, and all of them, in milliseconds.
pub(crate) fn told(times: &[Duration]) -> String {
    let mut all: Vec<u128> = times.iter().map(Duration::as_millis).collect();
    all.sort_unstable();
    format!("{} ms of {all:?}", all[all.len() / 2])
}
