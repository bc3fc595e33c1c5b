//! What goes out: heads at once, data as far as the windows allow (RFC 9113, section 5.2).

use std::{
    io,
    task::{Context, Poll},
};

use bytes::{Buf, BufMut, Bytes, buf::Limit};
use http::{HeaderMap, Request, response};

use super::{
    core::Core,
    error::Error,
    frame::{self, HEAD, flag, kind},
    head,
    hpack::Encoder,
    stream::{Ending, Shared, Stream},
};
use crate::copy;

/// Room made for what is to fill a frame: most of what comes is little. Where more comes, what waits to be written grows, and
/// leaves more room the next time.
const ROOM_MIN: usize = 4096;

/// What fills the room of a frame: it appends as many bytes as it says.
pub trait Fill: FnOnce(Limit<&mut Vec<u8>>) -> Poll<io::Result<usize>> {}

impl<F: FnOnce(Limit<&mut Vec<u8>>) -> Poll<io::Result<usize>>> Fill for F {}

impl Core {
    /// Sends the head of a request; `end` when nothing follows.
    pub(super) fn send_request<B>(&mut self, stream: &mut Stream, request: &Request<B>, end: bool) {
        stream.receiving.bodiless = request.method() == http::Method::HEAD;
        self.put_block(stream.id, end, |encoder, out| head::put_request(request, encoder, out));
        self.sent_head(stream, end);
    }

    /// Sends the head of an answer, or an interim one.
    pub(super) fn send_response(&mut self, stream: &mut Stream, head: &response::Parts, end: bool) -> Result<(), Error> {
        if let Some(error) = stream.broken {
            return Err(error);
        }
        self.put_block(stream.id, end, |encoder, out| head::put_response(head, encoder, out));
        self.sent_head(stream, end);
        Ok(())
    }

    fn sent_head(&mut self, stream: &mut Stream, end: bool) {
        if end {
            self.ended(stream);
        }
        self.stir();
    }

    /// Sends data; `end` when nothing follows. What the windows do not let through waits.
    pub(super) fn send_data(&mut self, shared: &Shared, mut data: Bytes, end: bool) -> Result<(), Error> {
        let stream = &mut *shared.borrow_mut();
        self.send_slice(stream, &mut data, end)?;
        if !data.is_empty() {
            stream.sending.waiting.push_back(data);
        }
        if end && !matches!(stream.sending.ending, Ending::Ended) {
            stream.sending.ending = Ending::AfterData;
        }
        self.stand_in_line(shared, stream);
        Ok(())
    }

    /// Sends as much of `data` as is let through at once, and takes it off; `end` when nothing follows.
    pub(super) fn send_slice(&mut self, stream: &mut Stream, data: &mut impl Buf, end: bool) -> Result<(), Error> {
        if let Some(error) = stream.broken {
            return Err(error);
        }
        if stream.sending.is_open() && stream.sending.waiting.is_empty() {
            self.put_data(stream, data, end);
            self.stir();
        }
        Ok(())
    }

    /// Makes a frame of what `fill` has for it, at most the bytes that [`poll_room`](Self::poll_room) has told of.
    pub(super) fn send_filled(&mut self, stream: &mut Stream, most: usize, fill: impl Fill) -> Poll<io::Result<usize>> {
        let begin = self.out.len();
        self.out.extend_from_slice(&[0; HEAD]);
        self.out.reserve(most.min(ROOM_MIN));
        let room = most.min(self.out.capacity() - self.out.len());
        let filled = fill((&mut self.out).limit(room));
        let Poll::Ready(Ok(length @ 1..)) = filled else {
            self.out.truncate(begin);
            return filled;
        };
        // No longer than a frame may be, which fits.
        let size = u32::try_from(length).unwrap_or(u32::MAX);
        let head = frame::Head { length: size, kind: kind::DATA, flags: 0, stream: stream.id };
        self.out[begin..begin + HEAD].copy_from_slice(&head.bytes());
        self.sent_data(stream, size);
        self.stir();
        filled
    }

    /// Resolves when something can be sent at once, with how many bytes make one frame. Otherwise the stream stands in line.
    pub(super) fn poll_room(&mut self, shared: &Shared, cx: &Context<'_>) -> Poll<Result<usize, Error>> {
        let stream = &mut *shared.borrow_mut();
        if let Some(error) = stream.broken {
            return Poll::Ready(Err(error));
        }
        let window = stream.sending.window.min(self.send_window).min(self.theirs.frame_max.into());
        match usize::try_from(window) {
            Ok(window @ 1..) if self.has_room() && stream.sending.waiting.is_empty() => Poll::Ready(Ok(window)),
            _ => {
                stream.sending.wants_room = true;
                stream.sending.wait(cx);
                self.stand_in_line(shared, stream);
                Poll::Pending
            }
        }
    }

    /// Sends trailers, after what waits.
    pub(super) fn send_trailers(&mut self, shared: &Shared, trailers: HeaderMap) -> Result<(), Error> {
        let stream = &mut *shared.borrow_mut();
        if let Some(error) = stream.broken {
            return Err(error);
        }
        if stream.sending.is_open() {
            stream.sending.ending = Ending::AfterTrailers(trailers);
            self.send_waiting(stream);
            self.stand_in_line(shared, stream);
            self.stir();
        }
        Ok(())
    }

    /// Lets those in line send, one frame each in turn, until nobody can.
    pub(super) fn send_line(&mut self) {
        loop {
            let mut sent = false;
            for _ in 0..self.line.len() {
                if !self.has_room() {
                    return;
                }
                let Some(shared) = self.line.pop_front() else { break };
                let stream = &mut *shared.borrow_mut();
                stream.sending.in_line = false;
                sent |= self.send_turn(stream);
                self.stand_in_line(&shared, stream);
            }
            if !sent {
                return;
            }
        }
    }

    /// A stream that could send, had the connection room and window, waits for its turn.
    pub(super) fn stand_in_line(&mut self, shared: &Shared, stream: &mut Stream) {
        let sending = &mut stream.sending;
        // An end alone needs no window.
        let may = sending.window > 0 || (sending.is_waiting() && sending.waiting.is_empty());
        if (sending.is_waiting() || sending.wants_room) && may && !sending.in_line && stream.broken.is_none() {
            sending.in_line = true;
            self.line.push_back(shared.clone());
        }
    }

    /// Sends what waits on one stream.
    fn send_waiting(&mut self, stream: &mut Stream) {
        while stream.sending.is_waiting() && self.has_room() && self.send_turn(stream) {}
    }

    /// Sends one piece of what waits on a stream. Says whether anything was sent.
    fn send_turn(&mut self, stream: &mut Stream) -> bool {
        let sending = &mut stream.sending;
        let Some(mut piece) = sending.waiting.pop_front() else {
            return match std::mem::take(&mut sending.ending) {
                Ending::AfterTrailers(trailers) => {
                    self.put_block(stream.id, true, |encoder, out| head::put_trailers(&trailers, encoder, out));
                    self.ended(stream);
                    true
                }
                Ending::AfterData => {
                    self.put_data(stream, &mut Bytes::new(), true);
                    true
                }
                ending => {
                    sending.ending = ending;
                    if sending.wants_room && self.send_window > 0 {
                        // Whoever waits has the turn, and takes it as soon as he can.
                        sending.wants_room = false;
                        sending.wake();
                    }
                    false
                }
            };
        };
        let last = sending.waiting.is_empty() && matches!(sending.ending, Ending::AfterData);
        let before = piece.len();
        self.put_data(stream, &mut piece, last);
        let sent = piece.len() < before;
        if piece.is_empty() {
            stream.sending.wake();
        } else {
            stream.sending.waiting.push_front(piece);
        }
        sent
    }

    /// Makes frames of `data`, as far as windows and room allow.
    fn put_data(&mut self, stream: &mut Stream, data: &mut impl Buf, end: bool) {
        if end && !data.has_remaining() {
            frame::put(&mut self.out, kind::DATA, flag::END_STREAM, stream.id, &[]);
            return self.ended(stream);
        }
        while data.has_remaining() && self.has_room() {
            let window = stream.sending.window.min(self.send_window).min(self.theirs.frame_max.into());
            let Ok(window @ 1..) = usize::try_from(window) else { return };
            let length = window.min(data.remaining());
            let last = end && length == data.remaining();
            let flags = if last { flag::END_STREAM } else { 0 };
            // No longer than a frame may be, which fits.
            let size = u32::try_from(length).unwrap_or(u32::MAX);
            self.out.extend_from_slice(&frame::Head { length: size, kind: kind::DATA, flags, stream: stream.id }.bytes());
            let mut left = length;
            while left > 0 {
                let chunk = data.chunk();
                let taken = chunk.len().min(left);
                copy::append(&mut self.out, &chunk[..taken]);
                data.advance(taken);
                left -= taken;
            }
            self.sent_data(stream, size);
            if last {
                self.ended(stream);
            }
        }
    }

    fn sent_data(&mut self, stream: &mut Stream, size: u32) {
        stream.sending.window -= i64::from(size);
        self.send_window -= i64::from(size);
        self.floods.sent();
    }

    /// Appends a header block, in as many frames as it takes (RFC 9113, section 6.10).
    fn put_block(&mut self, stream: u32, end: bool, put: impl FnOnce(&mut Encoder, &mut Vec<u8>)) {
        let begin = self.out.len();
        self.out.extend_from_slice(&[0; HEAD]);
        put(&mut self.encoder, &mut self.out);
        let length = self.out.len() - begin - HEAD;
        let most = usize::try_from(self.theirs.frame_max).unwrap_or(usize::MAX);
        let end_stream = if end { flag::END_STREAM } else { 0 };
        if length <= most {
            // No longer than a frame may be, which fits.
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            let head = frame::Head { length, kind: kind::HEADERS, flags: end_stream | flag::END_HEADERS, stream };
            self.out[begin..begin + HEAD].copy_from_slice(&head.bytes());
            return;
        }
        let block = self.out.split_off(begin + HEAD);
        self.out.truncate(begin);
        let mut pieces = block.chunks(most).peekable();
        let (mut kind, mut flags) = (kind::HEADERS, end_stream);
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                flags |= flag::END_HEADERS;
            }
            frame::put(&mut self.out, kind, flags, stream, piece);
            (kind, flags) = (kind::CONTINUATION, 0);
        }
    }

    fn ended(&mut self, stream: &mut Stream) {
        stream.sending.ending = Ending::Ended;
        if stream.holders == 0 {
            self.abandon(stream);
        }
        self.settle(stream);
    }
}
