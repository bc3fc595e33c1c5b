//! What people read: lines of the apps on standard output, the engine's own on standard error.
//!
//! A thread of its own writes, so that a terminal that stands still never holds up the mesh.

use std::{
    io::{self, Write},
    os::fd::AsFd,
    thread::JoinHandle,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    sync::mpsc::{self, UnboundedSender},
};

/// Lines that may wait to be written. Apps wait when there are as many.
const WAITING_MAX: usize = 4096;

/// Longer lines are cut into several.
const LINE_MAX: u64 = 64 * 1024;

/// Where lines go. A clone writes to the same place.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    lines: mpsc::Sender<Line>,
    colour: bool,
    /// Who hears what apps write, instead of standard output.
    listener: Option<UnboundedSender<(String, String)>>,
}

#[derive(Debug)]
enum Line {
    Out(Vec<u8>),
    Error(String),
    Table(String),
}

/// Everything said is written once this is joined, all consoles being dropped.
pub(crate) type Writer = JoinHandle<()>;

impl Console {
    /// With a `listener`, what apps write goes to him, with the name of who wrote it.
    pub(crate) fn open(colour: bool, listener: Option<UnboundedSender<(String, String)>>) -> io::Result<(Self, Writer)> {
        let (lines, waiting) = mpsc::channel(WAITING_MAX);
        let writer = std::thread::Builder::new().name(String::from("console")).spawn(move || write(waiting))?;
        Ok((Self { lines, colour, listener }, writer))
    }

    /// Tells people what the mesh is doing.
    pub(crate) fn say(&self, text: impl std::fmt::Display) {
        // Dropped only when thousands wait, which nobody reads.
        let _ = self.lines.try_send(Line::Error(format!("weft: {text}")));
    }

    /// Writes `text` to standard output as it is.
    pub(crate) async fn print(&self, text: String) {
        let _ = self.lines.send(Line::Out(text.into_bytes())).await;
    }

    /// Writes `text` to standard output, a terminal, in place of what was shown before.
    pub(crate) async fn show(&self, text: String) {
        let _ = self.lines.send(Line::Table(text)).await;
    }

    /// Passes on what a process writes, line by line, under its name, until it closes.
    pub(crate) async fn pass_on(self, name: String, source: impl AsyncRead + Unpin) {
        let prefix = self.prefix(&name);
        let mut source = BufReader::new(source);
        loop {
            let mut line = if self.listener.is_some() { Vec::new() } else { prefix.clone().into_bytes() };
            let mut part = tokio::io::AsyncReadExt::take(&mut source, LINE_MAX);
            match part.read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    if let Some(listener) = &self.listener {
                        let _ = listener.send((name.clone(), String::from_utf8_lossy(&line).into_owned()));
                        continue;
                    }
                    if line.last() != Some(&b'\n') {
                        line.push(b'\n');
                    }
                    if self.lines.send(Line::Out(line)).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn prefix(&self, name: &str) -> String {
        if !self.colour {
            return format!("{name} | ");
        }
        // The six colours that can be read on both dark and light.
        let number = 31 + name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 6;
        format!("\x1b[{number}m{name} |\x1b[0m ")
    }
}

fn write(mut waiting: mpsc::Receiver<Line>) {
    let mut out = io::stdout().lock();
    let mut shown = String::new();
    while let Some(line) = waiting.blocking_recv() {
        // Nobody may be reading any more; the mesh goes on.
        let _ = match line {
            Line::Out(bytes) => {
                // The table, if there is one, stays where it is.
                shown.clear();
                out.write_all(&bytes)
            }
            Line::Error(text) => above(&mut out, &shown, &text),
            Line::Table(text) => {
                let text = fitting(&text, width(&out));
                let written = write!(out, "{}{text}", erased(&shown));
                shown = text;
                written
            }
        };
        if waiting.is_empty() {
            let _ = out.flush();
        }
    }
}

/// Writes a line above the table that is shown.
fn above(out: &mut impl Write, shown: &str, text: &str) -> io::Result<()> {
    write!(out, "{}", erased(shown))?;
    out.flush()?;
    writeln!(io::stderr(), "{text}")?;
    write!(out, "{shown}")
}

/// What takes the cursor back to the beginning of `shown` and clears the screen from there.
fn erased(shown: &str) -> String {
    match shown.lines().count() {
        0 => String::new(),
        lines => format!("\x1b[{lines}A\x1b[J"),
    }
}

/// How many letters fit on a line of the terminal.
fn width(terminal: &impl AsFd) -> usize {
    let size = rustix::termios::tcgetwinsize(terminal).map_or(0, |size| size.ws_col);
    if size == 0 { usize::MAX } else { usize::from(size) }
}

/// Every line cut to `width`: lines that the terminal breaks could not be counted.
fn fitting(text: &str, width: usize) -> String {
    text.lines().map(|line| line.chars().take(width).chain(['\n']).collect::<String>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_cut_to_the_terminal_and_erased_line_by_line() {
        let shown = fitting("one two\nthree\n", 4);
        assert_eq!(shown, "one \nthre\n");
        assert_eq!(erased(&shown), "\x1b[2A\x1b[J");
        assert_eq!(erased(""), "");
    }
}
