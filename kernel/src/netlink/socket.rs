//! Sending messages and hearing what became of them.

use std::{io, os::fd::OwnedFd};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType,
        netlink::{NETFILTER, SocketAddrNetlink},
        recv, sendto, socket_with, sockopt,
    },
};

use super::{
    attribute::find,
    message::{HEADER, Message},
};

/// `NLMSG_ERROR` and `NLMSG_DONE`.
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// The kernel's own words are attached to the error.
const TEXT_ATTACHED: u16 = 0x200;
/// The message that failed is left out of the error.
const CAPPED: u16 = 0x100;
/// `NLMSGERR_ATTR_MSG`.
const TEXT: u16 = 1;

/// A socket of one netlink family, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

/// One answer of the kernel.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// Message type.
    pub(crate) kind: u16,
    /// Everything behind the header.
    pub(crate) body: Vec<u8>,
}

impl Socket {
    /// Links, addresses, routes.
    pub(crate) fn route() -> io::Result<Self> {
        Self::open(None)
    }

    /// nf_tables.
    pub(crate) fn netfilter() -> io::Result<Self> {
        Self::open(Some(NETFILTER))
    }

    fn open(protocol: Option<Protocol>) -> io::Result<Self> {
        let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        // Rules of thousands of ports are one batch: let it and its answers fit.
        sockopt::set_socket_send_buffer_size(&fd, 1 << 20)?;
        sockopt::set_socket_recv_buffer_size(&fd, 1 << 20)?;
        Ok(Self(fd))
    }

    /// Sends `messages` as one and reads every answer.
    ///
    /// # Errors
    /// The first refusal, in the kernel's own words where it gives any.
    pub(crate) fn exchange(&self, messages: &[Message]) -> io::Result<Vec<Reply>> {
        let bytes: Vec<u8> = (1..).zip(messages).flat_map(|(sequence, message)| message.bytes(sequence)).collect();
        sendto(&self.0, &bytes, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        let mut replies = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            // The kernel works while we send: whatever it has to say is there already, and silence means that it is done.
            match recv(&self.0, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    if read(&buffer[..length], &mut replies)? {
                        return Ok(replies);
                    }
                }
                Err(Errno::AGAIN) => return Ok(replies),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Reads the messages of one datagram. Returns whether a dump is complete.
fn read(mut bytes: &[u8], replies: &mut Vec<Reply>) -> io::Result<bool> {
    while let Some((header, _)) = bytes.split_first_chunk::<HEADER>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let flags = u16::from_ne_bytes([header[6], header[7]]);
        let Some(body) = bytes.get(HEADER..length) else { break };
        match kind {
            ERROR => refused(body, flags)?,
            DONE => return Ok(true),
            _ => replies.push(Reply { kind, body: body.to_vec() }),
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// An error of zero is an acknowledgement.
fn refused(body: &[u8], flags: u16) -> io::Result<()> {
    let Some((code, rest)) = body.split_first_chunk::<4>() else { return Ok(()) };
    let code = i32::from_ne_bytes(*code);
    if code == 0 {
        return Ok(());
    }
    let error = io::Error::from_raw_os_error(-code);
    let attached = (flags & TEXT_ATTACHED != 0).then(|| kernel_text(rest, flags)).flatten();
    Err(match attached {
        Some(text) => io::Error::new(error.kind(), format!("{error}: {text}")),
        None => error,
    })
}

fn kernel_text(rest: &[u8], flags: u16) -> Option<String> {
    let request = u32::from_ne_bytes(rest.get(..4)?.try_into().ok()?) as usize;
    let skip = if flags & CAPPED != 0 { HEADER } else { request.next_multiple_of(4) };
    let text = find(rest.get(skip..)?, TEXT)?;
    Some(String::from_utf8_lossy(text.strip_suffix(&[0]).unwrap_or(text)).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_answer_makes_us_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), length in 0..64_u32, kind in 0..5_u16) {
            let mut message = bytes;
            if message.len() >= 8 {
                message[..4].copy_from_slice(&length.to_ne_bytes());
                message[4..6].copy_from_slice(&kind.to_ne_bytes());
            }
            let _ = read(&message, &mut Vec::new());
        }
    }
}
