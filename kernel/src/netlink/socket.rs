//! Sending messages and hearing what became of them.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, connect,
        netlink::{NETFILTER, SocketAddrNetlink},
        recv, send, socket_with,
        sockopt::{
            set_socket_recv_buffer_size, set_socket_recv_buffer_size_force, set_socket_send_buffer_size,
            set_socket_send_buffer_size_force,
        },
    },
};

use super::{
    answer::{Answers, Refusal, Reply},
    message::Message,
};
use crate::sys::{Refusals, switch_on};

/// Rules for thousands of ports are one batch, and all of it is one datagram: bytes.
const BUFFER: usize = 4 << 20;

/// The longest datagram the kernel tells a dump in is half of this: bytes.
const DATAGRAM_MAX: usize = 1 << 16;

/// How often a dump is asked for again when what it tells changed meanwhile.
const DUMPS_MAX: usize = 20;

/// A socket of one netlink family, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

impl Socket {
    /// Links, addresses, routes.
    pub(crate) fn route() -> Result<Self, Refusal> {
        Self::open(None)
    }

    /// nf_tables.
    pub(crate) fn netfilter() -> Result<Self, Refusal> {
        Self::open(Some(NETFILTER))
    }

    fn open(protocol: Option<Protocol>) -> Result<Self, Refusal> {
        let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        // Beyond the machine's limit where we may, else up to it.
        set_socket_send_buffer_size_force(&fd, BUFFER).or_else(|_| set_socket_send_buffer_size(&fd, BUFFER))?;
        set_socket_recv_buffer_size_force(&fd, BUFFER).or_else(|_| set_socket_recv_buffer_size(&fd, BUFFER))?;
        // Kernels before 4.12 do not know these, and then explain nothing.
        let _ = switch_on(fd.as_fd(), Refusals::Explained);
        let _ = switch_on(fd.as_fd(), Refusals::Short);
        // Connected to the kernel (port 0), it takes messages from nobody else.
        connect(&fd, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self(fd))
    }

    /// Sends `messages` as one datagram and reads every answer. They are numbered from 1.
    ///
    /// # Errors
    /// The first refusal.
    pub(crate) fn exchange(&self, messages: &[Message]) -> Result<Vec<Reply>, Refusal> {
        Ok(self.converse(messages)?.replies)
    }

    /// Sends one request for a dump, as often as it takes to hear of a single moment.
    ///
    /// # Errors
    /// The kernel's refusal, or what is dumped never stops changing.
    pub(crate) fn dump(&self, request: &Message) -> Result<Vec<Reply>, Refusal> {
        for _ in 0..DUMPS_MAX {
            let answers = self.converse(std::slice::from_ref(request))?;
            if !answers.interrupted {
                return Ok(answers.replies);
            }
        }
        Err(Errno::AGAIN.into())
    }

    fn converse(&self, messages: &[Message]) -> Result<Answers, Refusal> {
        let bytes: Vec<u8> = (1..).zip(messages).flat_map(|(sequence, message)| message.bytes(sequence)).collect();
        send(&self.0, &bytes, SendFlags::empty())?;
        let expected = messages.iter().filter(|message| message.wants_an_end()).count();
        let mut answers = Answers::default();
        let mut buffer = vec![0; DATAGRAM_MAX];
        loop {
            // The kernel works while we send (and tells the rest of a dump while we receive), so whatever it has to say is
            // there already.
            match recv(&self.0, &mut buffer[..], RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
                Ok((_, length)) if length > buffer.len() => return Err(Errno::MSGSIZE.into()),
                Ok((length, _)) => answers.read(&buffer[..length])?,
                Err(Errno::AGAIN) if answers.completed >= expected => return Ok(answers),
                // Silence is no consent.
                Err(Errno::AGAIN) => return Err(Errno::TIMEDOUT.into()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
