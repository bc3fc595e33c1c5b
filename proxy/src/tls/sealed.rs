//! Records that wait to be sent.

use std::ops::{Deref, DerefMut};

/// Records that wait to be sent. Memory that was used once is used again as it is: a cipher writes all over its room, and
/// clearing that first would be work for nothing.
#[derive(Default)]
pub(super) struct Sealed {
    bytes: Vec<u8>,
    /// Where what waits ends.
    end: usize,
    /// How much of it was sent.
    sent: usize,
}

impl Sealed {
    /// Room for `length` more bytes, to be written all over.
    pub(super) fn room(&mut self, length: usize) -> &mut [u8] {
        let begin = self.end;
        self.end += length;
        if self.bytes.len() < self.end {
            self.bytes.resize(self.end, 0);
        }
        &mut self.bytes[begin..self.end]
    }

    /// Appends `bytes`.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
    }

    /// What is still to be sent.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..self.end]
    }

    /// So much of that was sent.
    pub(super) fn sent(&mut self, length: usize) {
        self.sent += length;
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        (self.end, self.sent) = (0, 0);
    }

    /// Whether it holds any memory.
    pub(super) fn has_memory(&self) -> bool {
        self.bytes.capacity() > 0
    }
}

/// All of it, sent or not.
impl Deref for Sealed {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.end]
    }
}

impl DerefMut for Sealed {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.end]
    }
}
