//! Data that comes in, handed on as it arrives: a frame need not be whole for that.

use bytes::{Buf, BytesMut};

use super::{
    Code,
    core::Core,
    error::Fault,
    frame::{self, Head, flag},
    stream::{Piece, Shared, Stream},
};

/// How far the window of a stream grows whose bytes are taken as fast as they come. Bulk is not held up by a window then.
const AHEAD_MAX: u32 = 1 << 20;

/// By how much the windows of all streams together may have grown, so that memory stays bounded when they all stand still.
const GROWN_MAX: u32 = 16 << 20;

/// A frame of data, some of which is still to come.
#[derive(Debug)]
pub(super) struct DataFrame {
    id: u32,
    /// `None` when nobody can take it.
    stream: Option<Shared>,
    left: usize,
    padding: usize,
    /// It has no data.
    is_empty: bool,
    ends_stream: bool,
}

impl DataFrame {
    pub(super) fn stream(&self) -> u32 {
        self.id
    }
}

/// How much of a frame of data must have come before it can begin: the length of its padding, if it has any.
pub(super) fn opening(head: Head) -> usize {
    usize::from(head.has(flag::PADDED) && head.length > 0)
}

impl Core {
    /// Begins a frame whose head was taken off `input`.
    pub(super) fn data_begins(&mut self, head: Head, input: &mut BytesMut) -> Result<(), Fault> {
        if head.stream == 0 {
            return Err(Fault::protocol("DATA without a stream"));
        }
        let mut left = head.length;
        let mut padding = 0;
        if head.has(flag::PADDED) {
            let more = Fault::protocol("more padding than payload");
            left = left.checked_sub(1).ok_or(more)?;
            padding = u32::from(input.get_u8());
            left = left.checked_sub(padding).ok_or(more)?;
        }
        // Padding counts (RFC 9113, section 6.1).
        self.receive_window -= i64::from(head.length);
        if self.receive_window < 0 {
            return Err(Fault::Connection(Code::FLOW_CONTROL_ERROR, "more data than the connection's window"));
        }
        let begun = match self.streams.get(&head.stream).cloned() {
            Some(shared) => {
                let begun = self.data_of(&mut shared.borrow_mut(), head, left);
                begun.map(|()| Some(shared))
            }
            None => self.stray(head.stream).map(|()| None),
        };
        let (stream, result) = match begun {
            Ok(stream) => (stream, Ok(())),
            Err(fault) => (None, Err(fault)),
        };
        match &stream {
            Some(shared) => {
                let overhead = head.length - left;
                self.took(overhead);
                self.took_of(&mut shared.borrow_mut(), overhead);
            }
            // Nobody will take it: the connection's window is not the worse for it.
            None => self.took(head.length),
        }
        let ends_stream = head.has(flag::END_STREAM);
        let fits = |length: u32| usize::try_from(length).unwrap_or(usize::MAX);
        self.data = Some(DataFrame {
            id: head.stream,
            stream,
            left: fits(left),
            padding: fits(padding),
            is_empty: left == 0,
            ends_stream,
        });
        result?;
        self.data_goes_on(input)
    }

    /// Whether an open stream may be sent such a frame.
    fn data_of(&mut self, stream: &mut Stream, head: Head, length: u32) -> Result<(), Fault> {
        let receiving = &mut stream.receiving;
        if receiving.ended {
            return Err(Fault::Stream(Code::STREAM_CLOSED, "data after the end"));
        }
        if !receiving.has_head {
            return Err(Fault::malformed("data before the answer's head"));
        }
        receiving.window -= i64::from(head.length);
        if receiving.window < 0 {
            return Err(Fault::Stream(Code::FLOW_CONTROL_ERROR, "more data than the stream's window"));
        }
        if let Some(left) = &mut receiving.length {
            *left = left.checked_sub(length.into()).ok_or(Fault::malformed("more data than its content-length"))?;
        }
        if length == 0 && !head.has(flag::END_STREAM) {
            self.floods.idle_frame()?;
        }
        Ok(())
    }

    /// Takes what has come of the frame off `input`.
    pub(super) fn data_goes_on(&mut self, input: &mut BytesMut) -> Result<(), Fault> {
        let Some(mut frame) = self.data.take() else { return Ok(()) };
        let length = frame.left.min(input.len());
        if let Some(shared) = &frame.stream
            && length > 0
        {
            let stream = &mut *shared.borrow_mut();
            if stream.receiving.unwanted || stream.broken.is_some() {
                input.advance(length);
                self.took(u32::try_from(length).unwrap_or(u32::MAX));
            } else if Piece::is_small(length) {
                stream.receiving.push(Piece::Small(&input[..length]));
                input.advance(length);
            } else {
                stream.receiving.push(Piece::Whole(input.split_to(length).freeze()));
            }
        } else {
            input.advance(length);
        }
        frame.left -= length;
        if frame.left == 0 {
            let padding = frame.padding.min(input.len());
            input.advance(padding);
            frame.padding -= padding;
        }
        if frame.left > 0 || frame.padding > 0 {
            self.data = Some(frame);
            return Ok(());
        }
        let Some(shared) = frame.stream.filter(|_| frame.ends_stream) else { return Ok(()) };
        let stream = &mut *shared.borrow_mut();
        stream.end()?;
        stream.receiving.bare_end = frame.is_empty;
        stream.receiving.wake();
        self.settle(stream);
        Ok(())
    }

    /// `length` bytes of a stream were taken: the peer may send as many more on it, and is told when it is worth a frame.
    pub(super) fn took_of(&mut self, stream: &mut Stream, length: u32) {
        let over = stream.receiving.ended || stream.broken.is_some();
        let receiving = &mut stream.receiving;
        receiving.taken = receiving.taken.saturating_add(length);
        if over || receiving.taken < receiving.ahead / 2 {
            return;
        }
        let mut increment = std::mem::take(&mut receiving.taken);
        // Half a window was taken as soon as it came: the sender is held up by the way to it and back.
        if receiving.keeps_up() && receiving.ahead < AHEAD_MAX && self.grown < GROWN_MAX {
            let growth = receiving.ahead.min(AHEAD_MAX - receiving.ahead);
            receiving.ahead += growth;
            self.grown += growth;
            increment += growth;
        }
        receiving.window += i64::from(increment);
        frame::put_window_update(&mut self.out, stream.id, increment);
        self.stir();
    }

    /// The same for the connection.
    pub(super) fn took(&mut self, length: u32) {
        self.taken = self.taken.saturating_add(length);
        if self.taken >= self.ours.connection_window / 2 {
            self.receive_window += i64::from(self.taken);
            frame::put_window_update(&mut self.out, 0, std::mem::take(&mut self.taken));
            self.stir();
        }
    }
}
