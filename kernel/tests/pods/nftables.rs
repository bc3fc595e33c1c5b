//! What others do to the rules, in a few messages of its own. Calls act on the network namespace of the calling thread.

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType,
    netlink::{NETFILTER, SocketAddrNetlink},
    recv, sendto, socket_with,
};

const REQUEST_ACK: u16 = 0x005;
const EXCLUSIVE: u16 = 0x200;
const CREATE: u16 = 0x400;

/// Takes all rules out of a chain.
pub(crate) fn delete_rules(table: &str, chain: &str) {
    assert_eq!(ask(8, 0, &[(1, text(table)), (2, text(chain))]), 0);
}

/// Puts a rule that does nothing before all others of a chain.
pub(crate) fn prepend_empty_rule(table: &str, chain: &str) {
    assert_eq!(ask(6, CREATE, &[(1, text(table)), (2, text(chain))]), 0);
}

/// Makes a table dormant.
pub(crate) fn switch_off(table: &str) {
    assert_eq!(ask(0, 0, &[(1, text(table)), (2, 1_u32.to_be_bytes().to_vec())]), 0);
}

pub(crate) fn create_table(table: &str) {
    assert_eq!(ask(0, CREATE, &[(1, text(table))]), 0);
}

/// Tries to make it, and makes it if it is not there.
pub(crate) fn has_table(table: &str) -> bool {
    const EEXIST: i32 = 17;
    match ask(0, CREATE | EXCLUSIVE, &[(1, text(table))]) {
        0 => false,
        error => {
            assert_eq!(error, -EEXIST);
            true
        }
    }
}

/// Sends one nf_tables message of the inet family, in a transaction of its own. Returns the kernel's error number, negative or 0.
fn ask(kind: u16, flags: u16, attributes: &[(u16, Vec<u8>)]) -> i32 {
    const SUBSYSTEM: u16 = 10;
    let request = message(SUBSYSTEM << 8 | kind, REQUEST_ACK | flags, [1, 0, 0, 0], attributes);
    // Beginning and end name the subsystem.
    let batch = [message(0x10, 1, [0, 0, 0, 10], &[]), request, message(0x11, 1, [0, 0, 0, 10], &[])].concat();
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(NETFILTER)).unwrap();
    sendto(&socket, &batch, SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).unwrap();
    let mut answer = [0; 4096];
    recv(&socket, &mut answer, RecvFlags::empty()).unwrap();
    i32::from_ne_bytes(answer[16..20].try_into().unwrap())
}

fn message(kind: u16, flags: u16, fixed: [u8; 4], attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = fixed.to_vec();
    for (kind, value) in attributes {
        body.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let length = u32::try_from(16 + body.len()).unwrap();
    [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8], &body].concat()
}

fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}
