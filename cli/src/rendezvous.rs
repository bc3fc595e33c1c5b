//! Where the processes of one mesh meet: a socket without a file, and descriptors sent over sockets.
//!
//! The socket's name is made of the user and the mesh's directory. It lives in the abstract namespace, so it is gone with
//! the process that holds it, however that ends.

use std::{
    collections::BTreeMap,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    path::Path,
};

use aws_lc_rs::digest::{SHA256, digest};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

/// What `weft run` asks for, as one JSON object on one line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JoinRequest {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) service_account: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) ports: Vec<(Option<String>, u16)>,
}

/// What it is told. With [`JoinAnswer::Welcome`] come namespaces: network, mount, process and, without root, user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum JoinAnswer {
    Welcome {
        /// The user and group the command is to be, in a user namespace of its own.
        ordinary: Option<(u32, u32)>,
    },
    Refused(String),
}

/// An answer with its descriptors is never longer.
pub(crate) const ANSWER_MAX: usize = 4096;

/// A request is never longer.
pub(crate) const REQUEST_MAX: usize = 64 * 1024;

/// Descriptors one message may carry.
const DESCRIPTORS_MAX: usize = 4;

/// Takes the place of the one mesh of `directory`, which must be canonical.
///
/// # Errors
/// `AddrInUse`: that mesh runs already.
pub(crate) fn listen(directory: &Path) -> io::Result<UnixListener> {
    UnixListener::bind_addr(&address(directory)?)
}

/// Connects to the mesh of `directory`, which must be canonical, if it belongs to the same user.
///
/// # Errors
/// `ConnectionRefused`: no such mesh runs. `PermissionDenied`: another user pretends to run it.
pub(crate) fn connect(directory: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect_addr(&address(directory)?)?;
    // Anybody may take a name; only our own user is trusted with our command.
    if rustix::net::sockopt::socket_peercred(&stream)?.uid != rustix::process::geteuid() {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    Ok(stream)
}

fn address(directory: &Path) -> io::Result<SocketAddr> {
    let hash = digest(&SHA256, directory.as_os_str().as_encoded_bytes());
    let short: String = hash.as_ref().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    SocketAddr::from_abstract_name(format!("weft/{}/{short}", rustix::process::geteuid().as_raw()))
}

/// Sends `bytes`, at least one, and descriptors with them.
///
/// # Errors
/// The other end is gone, or cannot take it now.
pub(crate) fn send(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    let sent = sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?;
    if sent < bytes.len() { Err(io::ErrorKind::WriteZero.into()) } else { Ok(()) }
}

/// Receives bytes, none at the end, and the descriptors that came with them.
///
/// # Errors
/// The connection broke.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    Ok((received.bytes, descriptors))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn one_mesh_has_one_place_and_it_is_free_again_afterwards() {
        let directory = Path::new("/somewhere/for/this/test");
        let held = listen(directory).unwrap();
        assert_eq!(listen(directory).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        connect(directory).unwrap();
        drop(held);
        assert_eq!(connect(directory).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        listen(directory).unwrap();
    }

    #[test]
    fn descriptors_arrive_with_their_message() {
        let (here, there) = UnixStream::pair().unwrap();
        let (mut sent, mut kept) = UnixStream::pair().unwrap();
        send(&here, b"take this", &[sent.as_fd()]).unwrap();
        let mut buffer = [0; 64];
        let (length, descriptors) = receive(&there, &mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"take this");
        let mut received = UnixStream::from(descriptors.into_iter().next().unwrap());
        received.write_all(b"x").unwrap();
        let mut byte = [0];
        kept.read_exact(&mut byte).unwrap();
        sent.write_all(b"y").unwrap();
        kept.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"y");
    }
}
