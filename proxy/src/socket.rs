//! Reading and writing TCP with as few calls to the kernel as can be.

use std::{
    io,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut};
use tokio::{io::Interest, net::TcpStream};

/// Reads once into `room`; 0 at the end.
///
/// # Errors
/// The connection failed.
pub fn poll_read(stream: &TcpStream, room: &mut [u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let size = room.len();
    poll_once(stream, size, cx, || stream.try_read(room))
}

/// Reads once into the room that `buffer` has left, of which there must be some; 0 at the end.
///
/// # Errors
/// The connection failed.
pub fn poll_read_buf(stream: &TcpStream, buffer: &mut impl BufMut, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let size = buffer.chunk_mut().len();
    poll_once(stream, size, cx, || stream.try_read_buf(buffer))
}

fn poll_once(
    stream: &TcpStream,
    size: usize,
    cx: &mut Context<'_>,
    mut read: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_read_ready(cx))?;
        match read() {
            Ok(length) => {
                if length > 0 && length < size {
                    // A read that does not fill its room has emptied the socket. Nobody needs to ask the kernel whether there
                    // is more: it tells when there is.
                    let _ = stream.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
                }
                return Poll::Ready(Ok(length));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

/// Writes what the kernel takes at once of `piece`, and takes that off.
///
/// # Errors
/// The connection failed.
pub fn write(stream: &TcpStream, piece: &mut impl Buf) -> io::Result<()> {
    match stream.try_write(piece.chunk()) {
        Ok(written) => {
            piece.advance(written);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}
