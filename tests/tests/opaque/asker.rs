//! A client that does something whenever it is told to.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// It does its work at every line, and answers with one. It ends with this.
pub struct Asker {
    program: Child,
    order: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Asker {
    pub fn new(mut command: Command) -> Self {
        let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a client");
        let (order, answers) = (program.stdin.take().expect("its input"), program.stdout.take().expect("its output"));
        Self { program, order, answers: BufReader::new(answers) }
    }

    /// Its next line.
    pub fn hear(&mut self) -> String {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        answer.trim().to_owned()
    }

    /// Tells it to ask, and takes the answer.
    pub fn ask(&mut self) -> String {
        writeln!(self.order).expect("it listens");
        self.hear()
    }

    /// The same, where the answer must be a number.
    pub fn ask_number(&mut self) -> f64 {
        let answer = self.ask();
        answer.parse().unwrap_or_else(|error| panic!("`{answer}`: {error}"))
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
