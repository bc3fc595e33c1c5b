//! One direction of a relayed connection.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
};

/// What is on its way in one direction.
#[derive(Debug, Default)]
pub(super) struct Direction {
    /// Read, and not yet taken by the other side, which will tell when it takes more.
    waiting: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// Nothing more will be read.
    Read,
    /// And the other side has been told.
    Over,
}

impl Direction {
    /// Whether something waits for the other side to take it.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether nothing will move any more.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Moves what `from` has to `to`. A read that does not fill the buffer has taken everything, unless there is an end to be
    /// found: then it goes on `to_the_end`.
    pub(super) fn carry(&mut self, from: &TcpStream, to: &TcpStream, buffer: &mut [u8], to_the_end: bool) {
        if self.try_carry(from, to, buffer, to_the_end).is_err() {
            // The other direction will meet the same end.
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            (self.waiting, self.state) = (Vec::new(), State::Over);
        }
    }

    fn try_carry(&mut self, mut from: &TcpStream, to: &TcpStream, buffer: &mut [u8], to_the_end: bool) -> io::Result<()> {
        let written = write(to, &self.waiting)?;
        self.waiting.drain(..written);
        while !self.waits() && self.state == State::Open {
            let read = match from.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                other => other?,
            };
            if read == 0 {
                self.state = State::Read;
            }
            let written = write(to, &buffer[..read])?;
            self.waiting.extend_from_slice(&buffer[written..read]);
            if read < buffer.len() && read > 0 && !to_the_end {
                return Ok(());
            }
        }
        if self.state == State::Read && !self.waits() {
            to.shutdown(Shutdown::Write)?;
            self.state = State::Over;
        }
        Ok(())
    }
}

/// Writes what the kernel takes now. A connection that is not there yet takes nothing.
fn write(mut to: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() {
        return Ok(0);
    }
    match to.write(bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
