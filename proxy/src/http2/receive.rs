//! What comes in: one frame after the other, each held against the protocol (RFC 9113, sections 5 and 6). `data` has those
//! that carry data.

use bytes::{Buf, Bytes, BytesMut};
use http::StatusCode;

use super::{
    Code,
    core::{Arrived, Core, LEAVING_PING, Leaving},
    data::{self, DataFrame},
    error::{By, Error, Fault},
    frame::{self, HEAD, Head, flag, kind, number},
    head::{self, Fields},
    settings::WINDOW_MAX,
    stream::Stream,
};

/// What a header block may be longer than the list in it is allowed to be: no encoding makes a list longer than this.
const BLOCK_OVERHEAD: usize = 4 * 1024;

/// A header block that has begun and not ended.
#[derive(Debug)]
pub(super) struct Block {
    stream: u32,
    ends_stream: bool,
    bytes: BytesMut,
}

impl Core {
    /// Takes every whole frame off `input`. What is left is the beginning of another.
    ///
    /// # Errors
    /// How the peer has broken the connection; it has been told.
    pub(super) fn receive(&mut self, input: &mut BytesMut) -> Result<(), Error> {
        while self.over.is_none() {
            if let Some(id) = self.data.as_ref().map(DataFrame::stream) {
                if input.is_empty() {
                    break;
                }
                self.judge(id, |core| core.data_goes_on(input))?;
                continue;
            }
            let Some(head) = Head::read(input) else { break };
            if head.length > self.ours.frame_max {
                return Err(self.blame(Code::FRAME_SIZE_ERROR, "a frame is longer than we take"));
            }
            // Below 2^24, which fits.
            let length = usize::try_from(head.length).unwrap_or(usize::MAX);
            let enough = if head.kind == kind::DATA { data::opening(head) } else { length };
            if input.len() < HEAD + enough {
                input.reserve(HEAD + enough - input.len());
                break;
            }
            input.advance(HEAD);
            self.judge(head.stream, |core| core.frame(head, length, input))?;
        }
        Ok(())
    }

    /// Ends what `work` finds fault with: stream `id`, or the connection.
    fn judge(&mut self, id: u32, work: impl FnOnce(&mut Self) -> Result<(), Fault>) -> Result<(), Error> {
        match work(self) {
            Ok(()) => Ok(()),
            Err(Fault::Connection(code, why)) => Err(self.blame(code, why)),
            Err(Fault::Stream(code, why)) => self.blame_stream(id, code, why),
        }
    }

    fn blame(&mut self, code: Code, why: &'static str) -> Error {
        let error = Error::Goodbye { code, by: By::Us, why };
        self.end(error);
        error
    }

    fn blame_stream(&mut self, id: u32, code: Code, why: &'static str) -> Result<(), Error> {
        tracing::trace!(stream = id, %code, why, "reset");
        // Somebody who errs on and on has us reset for free.
        if let Err(Fault::Connection(code, why) | Fault::Stream(code, why)) = self.floods.reset() {
            return Err(self.blame(code, why));
        }
        let error = Error::Reset { code, by: By::Us, why };
        match self.streams.get(&id).cloned() {
            Some(shared) => self.reset(&mut shared.borrow_mut(), error),
            None => {
                frame::put_reset(&mut self.out, id, code);
                self.resets.remember(id);
                self.stir();
            }
        }
        Ok(())
    }

    /// One frame, whose payload `input` begins with and is taken off.
    fn frame(&mut self, head: Head, length: usize, input: &mut BytesMut) -> Result<(), Fault> {
        if let Some(block) = &self.block
            && (head.kind != kind::CONTINUATION || head.stream != block.stream)
        {
            return Err(Fault::protocol("a header block is interrupted"));
        }
        if !self.theirs.told && head.kind != kind::SETTINGS {
            return Err(Fault::protocol("the first frame is not SETTINGS"));
        }
        if head.kind == kind::DATA {
            return self.data_begins(head, input);
        }
        let result = self.whole_frame(head, &input[..length]);
        input.advance(length);
        result
    }

    fn whole_frame(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        match head.kind {
            kind::HEADERS => self.headers(head, payload),
            kind::CONTINUATION => self.continuation(head, payload),
            kind::PRIORITY => self.floods.idle_frame().and_then(|()| priority(head, payload)),
            kind::RST_STREAM => self.reset_by_peer(head, payload),
            kind::SETTINGS => self.settings(head, payload),
            kind::PUSH_PROMISE => Err(Fault::protocol("a push, which we do not take")),
            kind::PING => self.ping(head, payload),
            kind::GOAWAY => self.goodbye_by_peer(head, payload),
            kind::WINDOW_UPDATE => self.window_update(head, payload),
            // RFC 9113, section 5.5: what is unknown is ignored; it still costs.
            _ => self.floods.idle_frame(),
        }
    }

    /// A frame for a stream that is not open.
    pub(super) fn stray(&self, id: u32) -> Result<(), Fault> {
        if self.is_idle(id) {
            return Err(Fault::protocol("a frame for a stream that was never opened"));
        }
        if self.resets.knows(id) || !self.is_served(id) {
            return Ok(());
        }
        Err(Fault::Stream(Code::STREAM_CLOSED, "a frame for a stream that has ended"))
    }

    /// Whether a stream of the peer's is one that our goodbye has not excluded.
    fn is_served(&self, id: u32) -> bool {
        !matches!(self.leaving, Leaving::After(last) if self.is_server && id > last)
    }

    fn headers(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        if head.stream == 0 || head.stream.is_multiple_of(2) {
            return Err(Fault::protocol("HEADERS on a stream that no client can open"));
        }
        let mut block = frame::unpadded(head, payload).ok_or(Fault::protocol("more padding than payload"))?;
        let mut self_made = false;
        if head.has(flag::PRIORITY) {
            let (priority, rest) = block.split_at_checked(5).ok_or(Fault::size("HEADERS too short for its priority"))?;
            self_made = depends_on_itself(head.stream, priority);
            block = rest;
        }
        let ends_stream = head.has(flag::END_STREAM);
        if !head.has(flag::END_HEADERS) {
            let bytes = BytesMut::from(block);
            self.block = Some(Block { stream: head.stream, ends_stream, bytes });
            return Ok(());
        }
        // A copy of its own: what is made of it must not hold everything that was read with it.
        self.block_ended(head.stream, ends_stream, &Bytes::copy_from_slice(block))?;
        if self_made { Err(Fault::malformed("a stream that depends on itself")) } else { Ok(()) }
    }

    fn continuation(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        let Some(block) = &mut self.block else {
            return Err(Fault::protocol("CONTINUATION without HEADERS"));
        };
        block.bytes.extend_from_slice(payload);
        // Beyond this it is not decoded any more, and the table is lost with it.
        if block.bytes.len() > usize::try_from(self.ours.head_bytes).unwrap_or(usize::MAX).saturating_add(BLOCK_OVERHEAD) * 2 {
            return Err(Fault::Connection(Code::ENHANCE_YOUR_CALM, "a header block without end"));
        }
        if !head.has(flag::END_HEADERS) {
            return self.floods.idle_frame();
        }
        match self.block.take() {
            Some(Block { stream, ends_stream, bytes }) => self.block_ended(stream, ends_stream, &bytes.freeze()),
            None => Ok(()),
        }
    }

    /// A whole header block. It is decoded whatever becomes of it: the next one builds on it.
    fn block_ended(&mut self, id: u32, ends_stream: bool, block: &Bytes) -> Result<(), Fault> {
        let most = usize::try_from(self.ours.head_bytes).unwrap_or(usize::MAX);
        let mut fields = Fields::default();
        let size = self
            .decoder
            .decode(block, most, |field| fields.take(field))
            .map_err(|_| Fault::Connection(Code::COMPRESSION_ERROR, "a header block that cannot be decoded"))?;
        let fields = (size <= most).then_some(fields);
        match self.streams.get(&id).cloned() {
            Some(shared) => {
                let stream = &mut *shared.borrow_mut();
                let heard = self.head_of(stream, ends_stream, fields);
                self.settle(stream);
                heard
            }
            None if self.is_server && id > self.last_heard => self.opened(id, ends_stream, fields),
            None if self.is_idle(id) => Err(Fault::protocol("an answer to what was never asked")),
            // It may have been on its way when we reset the stream.
            None if self.resets.knows(id) || !self.is_server || !self.is_served(id) => Ok(()),
            None => Err(Fault::Connection(Code::STREAM_CLOSED, "HEADERS on a stream that had ended")),
        }
    }

    /// A client opens a stream; `fields` are `None` when they are larger than we take.
    fn opened(&mut self, id: u32, ends_stream: bool, fields: Option<Fields>) -> Result<(), Fault> {
        if !self.is_served(id) {
            return Ok(());
        }
        self.last_heard = id;
        if u32::try_from(self.streams.len()).unwrap_or(u32::MAX) >= self.ours.streams {
            return Err(Fault::Stream(Code::REFUSED_STREAM, "more streams than we take"));
        }
        let Some(fields) = fields else {
            let shared = self.enter(id);
            shared.borrow_mut().receiving.has_head = true;
            shared.borrow_mut().receiving.ended = ends_stream;
            self.arrived.push_back((Arrived::TooLong, shared));
            return Ok(());
        };
        let request = fields.request().map_err(Fault::malformed)?;
        let length = head::length(request.headers()).map_err(Fault::malformed)?;
        if ends_stream && length.is_some_and(|length| length > 0) {
            return Err(Fault::malformed("less data than its content-length"));
        }
        let shared = self.enter(id);
        {
            let receiving = &mut shared.borrow_mut().receiving;
            receiving.has_head = true;
            receiving.ended = ends_stream;
            receiving.length = length;
        }
        self.arrived.push_back((Arrived::Request(request), shared));
        Ok(())
    }

    /// A head, or trailers, on an open stream; `fields` are `None` when they are larger than we take.
    fn head_of(&mut self, stream: &mut Stream, ends_stream: bool, fields: Option<Fields>) -> Result<(), Fault> {
        if stream.receiving.ended {
            return Err(Fault::Stream(Code::STREAM_CLOSED, "HEADERS after the end"));
        }
        let Some(fields) = fields else {
            return Err(Fault::malformed("its header fields are larger than we take"));
        };
        if stream.receiving.has_head {
            if !ends_stream {
                return Err(Fault::malformed("trailers that do not end their stream"));
            }
            let trailers = fields.trailers().map_err(Fault::malformed)?;
            stream.receiving.trailers = Some(trailers);
            stream.end()?;
            stream.receiving.wake();
            return Ok(());
        }
        let response = fields.response().map_err(Fault::malformed)?;
        if response.status().is_informational() {
            if ends_stream {
                return Err(Fault::malformed("an interim answer that ends its stream"));
            }
            self.floods.idle_frame()?;
            stream.receiving.interims.push_back(response);
            stream.receiving.wake();
            return Ok(());
        }
        let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&response.status());
        stream.receiving.length = if bodiless || stream.receiving.bodiless {
            // RFC 9110, section 6.4.1: whatever it says, nothing follows.
            Some(0)
        } else {
            head::length(response.headers()).map_err(Fault::malformed)?
        };
        stream.receiving.has_head = true;
        if ends_stream {
            stream.end()?;
        }
        stream.receiving.head = Some(response);
        stream.receiving.wake();
        Ok(())
    }

    fn reset_by_peer(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        let code = Code::from(number(payload).ok_or(Fault::size("RST_STREAM of a wrong length"))?);
        if head.stream == 0 || self.is_idle(head.stream) {
            return Err(Fault::protocol("RST_STREAM for a stream that was never opened"));
        }
        // Who has sent everything may cancel what it gets for free; who gives up what it began has us begin it for nothing.
        // A server has begun nothing: it refuses what we ask, and may have to refuse much.
        if self.is_server { self.floods.reset() } else { self.floods.idle_frame() }?;
        if let Some(shared) = self.streams.get(&head.stream).cloned() {
            let stream = &mut *shared.borrow_mut();
            stream.break_off(Error::Reset { code, by: By::Peer, why: "" });
            self.settle(stream);
        }
        Ok(())
    }

    fn settings(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(Fault::protocol("SETTINGS on a stream"));
        }
        if head.has(flag::ACK) {
            return if payload.is_empty() { Ok(()) } else { Err(Fault::size("an acknowledgement with a payload")) };
        }
        self.floods.idle_frame()?;
        let before = self.theirs.stream_window;
        self.theirs.hear(payload, !self.is_server)?;
        self.encoder.set_table_max(self.theirs.table);
        let change = i64::from(self.theirs.stream_window) - i64::from(before);
        if change != 0 {
            self.change_windows(change)?;
        }
        frame::put(&mut self.out, kind::SETTINGS, flag::ACK, 0, &[]);
        self.wake_waiting();
        self.stir();
        Ok(())
    }

    /// RFC 9113, section 6.9.2.
    fn change_windows(&mut self, change: i64) -> Result<(), Fault> {
        for shared in self.after(0) {
            let stream = &mut *shared.borrow_mut();
            stream.sending.window += change;
            if stream.sending.window > WINDOW_MAX.into() {
                return Err(Fault::Connection(Code::FLOW_CONTROL_ERROR, "a window grows too large"));
            }
            self.stand_in_line(&shared, stream);
        }
        Ok(())
    }

    fn ping(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(Fault::protocol("PING on a stream"));
        }
        if payload.len() != 8 {
            return Err(Fault::size("PING of a wrong length"));
        }
        if head.has(flag::ACK) {
            if payload == LEAVING_PING {
                self.leave();
            }
            return Ok(());
        }
        self.floods.idle_frame()?;
        frame::put(&mut self.out, kind::PING, flag::ACK, 0, payload);
        self.stir();
        Ok(())
    }

    fn goodbye_by_peer(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(Fault::protocol("GOAWAY on a stream"));
        }
        let (last, rest) = payload.split_at_checked(4).ok_or(Fault::size("GOAWAY too short"))?;
        let (code, _) = rest.split_at_checked(4).ok_or(Fault::size("GOAWAY too short"))?;
        let last = number(last).unwrap_or_default() & WINDOW_MAX;
        let error = Error::Goodbye { code: Code::from(number(code).unwrap_or_default()), by: By::Peer, why: "" };
        self.goodbye = Some(error);
        if !self.is_server {
            for shared in self.after(last) {
                let stream = &mut *shared.borrow_mut();
                stream.break_off(error);
                self.settle(stream);
            }
        }
        self.wake_waiting();
        self.stir();
        Ok(())
    }

    fn window_update(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        let increment = number(payload).ok_or(Fault::size("WINDOW_UPDATE of a wrong length"))? & WINDOW_MAX;
        self.floods.idle_frame()?;
        if head.stream == 0 {
            if increment == 0 {
                return Err(Fault::protocol("a window that grows by nothing"));
            }
            self.send_window += i64::from(increment);
            if self.send_window > WINDOW_MAX.into() {
                return Err(Fault::Connection(Code::FLOW_CONTROL_ERROR, "the connection's window grows too large"));
            }
            self.stir();
            return Ok(());
        }
        if self.is_idle(head.stream) {
            return Err(Fault::protocol("WINDOW_UPDATE for a stream that was never opened"));
        }
        if increment == 0 {
            return Err(Fault::malformed("a window that grows by nothing"));
        }
        // It may have ended meanwhile.
        let Some(shared) = self.streams.get(&head.stream).cloned() else { return Ok(()) };
        let stream = &mut *shared.borrow_mut();
        stream.sending.window += i64::from(increment);
        if stream.sending.window > WINDOW_MAX.into() {
            return Err(Fault::Stream(Code::FLOW_CONTROL_ERROR, "a stream's window grows too large"));
        }
        self.stand_in_line(&shared, stream);
        if stream.sending.in_line {
            self.stir();
        }
        Ok(())
    }
}

/// RFC 9113, section 5.3.2: what it says means nothing any more; what it looks like still does.
fn priority(head: Head, payload: &[u8]) -> Result<(), Fault> {
    match payload {
        _ if head.stream == 0 => Err(Fault::protocol("PRIORITY without a stream")),
        [_, _, _, _, _] if depends_on_itself(head.stream, payload) => Err(Fault::malformed("a stream that depends on itself")),
        [_, _, _, _, _] => Ok(()),
        _ => Err(Fault::Stream(Code::FRAME_SIZE_ERROR, "PRIORITY of a wrong length")),
    }
}

fn depends_on_itself(stream: u32, priority: &[u8]) -> bool {
    priority.get(..4).and_then(number).is_some_and(|on| on & WINDOW_MAX == stream)
}
