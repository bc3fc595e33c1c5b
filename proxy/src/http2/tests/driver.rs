//! The driver on a transport that does what a test says.

use std::{
    cell::Cell,
    io,
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use bytes::BytesMut;
use http::HeaderValue;

use super::{
    super::{Arrived, Server, Transport, client, frame::PREFACE},
    OURS, asked, look,
    pair::End,
};

/// A transport on which nothing arrives, and that takes everything or nothing.
#[derive(Clone, Default)]
struct Still {
    takes: Rc<Cell<bool>>,
    was_read: Rc<Cell<bool>>,
}

impl Transport for Still {
    fn poll_read(&mut self, _: &mut BytesMut, _: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.was_read.set(true);
        Poll::Pending
    }

    fn poll_write(&mut self, out: &[u8], _: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.takes.get() { Poll::Ready(Ok(out.len())) } else { Poll::Pending }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn who_was_not_listened_to_is_listened_to_again() {
    let transport = Still::default();
    let (client, driver) = client(transport.clone(), OURS);
    let mut driver = pin!(driver);
    let mut request = asked();
    request.headers_mut().insert("x-large", HeaderValue::from_bytes(&[b'x'; 64 * 1024]).unwrap());
    let _streams: Vec<_> = (0..100).map(|_| client.request(&request, true).unwrap()).collect();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let cx = &mut Context::from_waker(&waker);
    assert!(driver.as_mut().poll(cx).is_pending());
    assert!(!transport.was_read.get(), "more waits to be written than is good");
    woken.0.store(false, Ordering::Relaxed);
    transport.takes.set(true);
    assert!(driver.as_mut().poll(cx).is_pending());
    assert!(woken.0.load(Ordering::Relaxed) || transport.was_read.get());
}

#[test]
fn what_was_read_before_is_served_at_once() {
    let client = End::new(false, OURS);
    let _stream = client.open(&asked(), true).unwrap();
    let seen = [PREFACE, &client.say(usize::MAX)].concat();
    let mut server = Server::new(Still::default(), BytesMut::from(&seen[..]), OURS);
    let accepted = pin!(server.accept()).poll(&mut look());
    assert!(matches!(accepted, Poll::Ready(Some(Ok((Arrived::Request(_), _, _))))));
}
