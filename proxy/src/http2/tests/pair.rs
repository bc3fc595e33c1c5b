//! A client and a server, joined by bytes that are carried when a test says so.

use std::{cell::RefCell, rc::Rc};

use bytes::BytesMut;
use http::Request;

use super::super::{
    Arrived, Error, Ours, Receiver, Sender,
    core::{Conn, Core},
    frame::PREFACE,
    handle::halves,
    server::next,
};

/// One end, with what has come to it of a frame that is not whole.
pub(super) struct End {
    pub(super) conn: Conn,
    input: BytesMut,
}

/// Both ends.
pub(super) struct Pair {
    pub(super) client: End,
    pub(super) server: End,
}

impl End {
    pub(super) fn new(is_server: bool, ours: Ours) -> Self {
        let mut core = Core::new(is_server, ours);
        if !is_server {
            // The driver takes it off.
            core.out.drain(..PREFACE.len());
        }
        Self { conn: Rc::new(RefCell::new(core)), input: BytesMut::new() }
    }

    /// Takes what the other end, or a test, has written.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.input.extend_from_slice(bytes);
        self.conn.borrow_mut().receive(&mut self.input)
    }

    /// Up to `most` bytes of what it has to say.
    pub(super) fn say(&self, most: usize) -> Vec<u8> {
        let core = &mut *self.conn.borrow_mut();
        core.send_line();
        let length = most.min(core.out.len());
        core.out.drain(..length).collect()
    }

    pub(super) fn open(&self, request: &Request<()>, end: bool) -> Result<(Receiver, Sender), Error> {
        let core = &mut *self.conn.borrow_mut();
        let stream = core.open()?;
        core.send_request(&mut stream.borrow_mut(), request, end);
        Ok(halves(&self.conn, stream))
    }

    /// The next stream that has arrived.
    pub(super) fn next(&self) -> Option<(Arrived, Receiver, Sender)> {
        next(&self.conn)
    }
}

impl Pair {
    /// Two ends that have told each other what they take.
    pub(super) fn new(client: Ours, server: Ours) -> Self {
        let mut pair = Self { client: End::new(false, client), server: End::new(true, server) };
        pair.settle();
        pair
    }

    /// Carries up to `most` bytes to the server, or else to the client. Says whether there were any.
    pub(super) fn carry(&mut self, to_server: bool, most: usize) -> bool {
        let (from, to) = if to_server { (&self.client, &mut self.server) } else { (&self.server, &mut self.client) };
        let bytes = from.say(most);
        to.hear(&bytes).expect("our own ends keep to the protocol");
        !bytes.is_empty()
    }

    /// Carries everything both ways. Says whether there was anything.
    pub(super) fn settle(&mut self) -> bool {
        let mut carried = false;
        while self.carry(true, usize::MAX) | self.carry(false, usize::MAX) {
            carried = true;
        }
        carried
    }
}
