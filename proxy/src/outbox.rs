//! What waits to be written on a connection.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    io::{self, IoSlice},
};

use bytes::{Buf, Bytes, BytesMut};

/// Pieces up to this are copied together rather than handed to the kernel one by one.
const SMALL: usize = 1024;

/// Pieces handed to the kernel at once.
const PIECES: usize = 16;

/// What waits to be written.
#[derive(Debug, Default)]
pub struct Outbox {
    pieces: VecDeque<Bytes>,
    /// What comes after the pieces.
    last: BytesMut,
    length: usize,
}

impl Outbox {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Appends a little, by copying it.
    pub fn text(&mut self, text: &[u8]) {
        self.last.extend_from_slice(text);
        self.length += text.len();
    }

    /// Appends data, by copying it if it is little.
    pub fn data(&mut self, data: Bytes) {
        if data.len() <= SMALL {
            return self.text(&data);
        }
        self.length += data.len();
        if !self.last.is_empty() {
            self.pieces.push_back(self.last.split().freeze());
        }
        self.pieces.push_back(data);
    }

    /// The line that says how long a chunk is.
    pub fn chunk_line(&mut self, length: usize) {
        let before = self.last.len();
        // Writing to a buffer in memory does not fail.
        let _ = write!(self.last, "{length:x}\r\n");
        self.length += self.last.len() - before;
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Takes the first piece of what waits.
    pub fn pop(&mut self) -> Option<Bytes> {
        let last = || Some(self.last.split().freeze()).filter(|last| !last.is_empty());
        let piece = self.pieces.pop_front().or_else(last)?;
        self.length -= piece.len();
        Some(piece)
    }

    /// Lets `write` have what waits, once.
    ///
    /// # Errors
    /// Those of `write`, and that it took nothing.
    pub fn write(&mut self, write: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>) -> io::Result<()> {
        let mut slices = [IoSlice::new(&[]); PIECES];
        let waiting = self.pieces.iter().map(|piece| &piece[..]).chain([&self.last[..]]);
        let count = slices.iter_mut().zip(waiting).map(|(slice, piece)| *slice = IoSlice::new(piece)).count();
        let mut written = write(&slices[..count])?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.length -= written;
        while let Some(piece) = self.pieces.front_mut() {
            if written < piece.len() {
                piece.advance(written);
                return Ok(());
            }
            written -= piece.len();
            self.pieces.pop_front();
        }
        self.last.advance(written);
        Ok(())
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Everything that waits, as the other end reads it.
    pub fn written(outbox: &mut Outbox) -> String {
        let mut whole = Vec::new();
        while !outbox.is_empty() {
            // A kernel that takes seven bytes at a time.
            let take = |pieces: &[IoSlice<'_>]| {
                let all: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).take(7).collect();
                whole.extend_from_slice(&all);
                Ok(all.len())
            };
            outbox.write(take).unwrap();
        }
        String::from_utf8(whole).unwrap()
    }

    #[test]
    fn large_pieces_keep_their_place_between_small_ones() {
        let mut outbox = Outbox::default();
        outbox.text(b"before ");
        outbox.data(Bytes::from(vec![b'x'; SMALL + 1]));
        outbox.data(Bytes::from_static(b" after"));
        let whole = written(&mut outbox);
        assert!(whole.starts_with("before x") && whole.ends_with("x after"));
        assert_eq!(whole.len(), 7 + SMALL + 1 + 6);
    }
}
