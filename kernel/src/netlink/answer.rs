//! Reading what the kernel answers. Pure; whatever arrives, it ends in answers or in a refusal.

use std::{fmt, io};

use rustix::io::Errno;

use super::{
    attribute::{find, text},
    message::HEADER,
};

/// `NLMSG_ERROR`, `NLMSG_DONE`, `NLMSG_OVERRUN`; whatever lies below [`OURS`] belongs to netlink itself.
const ERROR: u16 = 2;
const DONE: u16 = 3;
const OVERRUN: u16 = 4;
const OURS: u16 = 16;

/// What a dump tells changed while it was told (`NLM_F_DUMP_INTR`).
const INTERRUPTED: u16 = 0x010;
/// The message that failed is left out of the error (`NLM_F_CAPPED`).
const CAPPED: u16 = 0x100;
/// The kernel's own words are attached to the error (`NLM_F_ACK_TLVS`).
const TEXT_ATTACHED: u16 = 0x200;
/// `NLMSGERR_ATTR_MSG`.
const TEXT: u16 = 1;

/// The kernel's highest error number (`MAX_ERRNO`).
const ERROR_MAX: i32 = 4095;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Message type.
    pub(crate) kind: u16,
    /// Everything behind the header.
    pub(crate) body: Vec<u8>,
}

/// The kernel does not want to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Sequence number of the message that it refuses; 0 when it is not about one of them.
    pub(crate) sequence: u32,
    /// Why, as a number.
    pub(crate) errno: Errno,
    /// Why, in its own words.
    pub(crate) text: Option<String>,
}

impl Refusal {
    /// The answer makes no sense.
    fn nonsense(what: &str) -> Self {
        Self { sequence: 0, errno: Errno::BADMSG, text: Some(format!("the kernel's answer cannot be read: {what}")) }
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self { sequence: 0, errno, text: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = io::Error::from(self.errno);
        match &self.text {
            Some(text) => write!(f, "{error}: {text}"),
            None => write!(f, "{error}"),
        }
    }
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        let error = Self::from(refusal.errno);
        if refusal.text.is_some() { Self::new(error.kind(), refusal.to_string()) } else { error }
    }
}

/// All answers to one exchange.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) replies: Vec<Reply>,
    /// How many messages were acknowledged, and dumps completed.
    pub(super) completed: usize,
    /// Whether a dump told of two moments at once and must be asked for again.
    pub(super) interrupted: bool,
}

impl Answers {
    /// Takes in one datagram.
    ///
    /// # Errors
    /// The first refusal in it, or bytes that are no answer.
    pub(super) fn read(&mut self, mut datagram: &[u8]) -> Result<(), Refusal> {
        while !datagram.is_empty() {
            let (header, _) = datagram.split_first_chunk::<HEADER>().ok_or_else(|| Refusal::nonsense("half a header"))?;
            let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = *header;
            let length = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
            let body = datagram.get(HEADER..length).ok_or_else(|| Refusal::nonsense("a wrong length"))?;
            let flags = u16::from_ne_bytes([f0, f1]);
            self.interrupted |= flags & INTERRUPTED != 0;
            self.take(u16::from_ne_bytes([k0, k1]), flags, u32::from_ne_bytes([s0, s1, s2, s3]), body)?;
            // `length` lies within the datagram, so this cannot overflow.
            datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(())
    }

    fn take(&mut self, kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Result<(), Refusal> {
        match kind {
            ERROR | DONE => {
                // A dump may fail at its end, and says so as an error does; older kernels say nothing there.
                let code = body.first_chunk::<4>().map_or(0, |code| i32::from_ne_bytes(*code));
                if code < 0 {
                    return Err(refusal(code, flags, sequence, body.get(4..).unwrap_or_default()));
                }
                self.completed += 1;
            }
            OVERRUN => return Err(Errno::NOBUFS.into()),
            OURS.. => self.replies.push(Reply { kind, body: body.to_vec() }),
            _ => {}
        }
        Ok(())
    }
}

fn refusal(code: i32, flags: u16, sequence: u32, rest: &[u8]) -> Refusal {
    let number = code.checked_neg().filter(|number| (1..=ERROR_MAX).contains(number));
    let Some(number) = number else { return Refusal::nonsense("an unknown error") };
    let attached = (flags & TEXT_ATTACHED != 0).then(|| kernel_text(rest, flags)).flatten();
    Refusal { sequence, errno: Errno::from_raw_os_error(number), text: attached }
}

/// Behind the number stands the header of the message that was refused, the message unless it is left out, and attributes.
fn kernel_text(rest: &[u8], flags: u16) -> Option<String> {
    let refused = u32::from_ne_bytes(*rest.first_chunk::<4>()?) as usize;
    let skip = if flags & CAPPED != 0 { HEADER } else { refused.checked_next_multiple_of(4)? };
    find(rest.get(skip..)?, TEXT).map(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn datagram(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut bytes =
            [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &7_u32.to_ne_bytes(), &[0; 4]].concat();
        bytes.extend_from_slice(body);
        bytes
    }

    fn refused(flags: u16, body: &[u8]) -> Refusal {
        Answers::default().read(&datagram(ERROR, flags, body)).unwrap_err()
    }

    /// An error number, the refused message's header (it was 18 bytes long), maybe that message, and the kernel's words.
    fn explained(code: i32, message: &[u8]) -> Vec<u8> {
        let mut body = [&code.to_ne_bytes()[..], &18_u32.to_ne_bytes(), &[0; 12], message].concat();
        body.extend([[9, 0], [1, 0]].concat());
        body.extend(b"busy\0\0\0\0");
        body
    }

    #[test]
    fn a_refusal_carries_the_kernels_own_words() {
        let expected = Refusal { sequence: 7, errno: Errno::BUSY, text: Some(String::from("busy")) };
        assert_eq!(refused(TEXT_ATTACHED | CAPPED, &explained(-16, &[])), expected);
        assert_eq!(refused(TEXT_ATTACHED, &explained(-16, &[0; 4])), expected, "with the message that was refused");
        assert_eq!(refused(CAPPED, &explained(-16, &[])).text, None, "nothing was attached");
        assert_eq!(io::Error::from(expected).kind(), io::ErrorKind::ResourceBusy);
    }

    #[test]
    fn an_acknowledgement_is_no_refusal_and_no_reply() {
        let mut answers = Answers::default();
        answers.read(&datagram(ERROR, 0, &[0; 20])).unwrap();
        answers.read(&datagram(DONE, 0, &[0; 4])).unwrap();
        assert_eq!((answers.completed, answers.replies.len()), (2, 0));
    }

    #[test]
    fn a_dump_that_fails_at_its_end_or_was_interrupted_is_noticed() {
        let mut answers = Answers::default();
        answers.read(&datagram(OURS, INTERRUPTED, b"link")).unwrap();
        assert!(answers.interrupted);
        assert_eq!(answers.replies, [Reply { kind: OURS, body: b"link".to_vec() }]);
        assert_eq!(answers.read(&datagram(DONE, 0, &(-12_i32).to_ne_bytes())).unwrap_err().errno, Errno::NOMEM);
        assert_eq!(answers.read(&datagram(OVERRUN, 0, &[])).unwrap_err().errno, Errno::NOBUFS);
    }

    #[test]
    fn error_numbers_that_cannot_be_are_nonsense() {
        for code in [i32::MIN, -4096, -70_000] {
            assert_eq!(refused(0, &code.to_ne_bytes()).errno, Errno::BADMSG);
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_us_panic(
            body in prop::collection::vec(any::<u8>(), 0..200),
            code in prop_oneof![any::<i32>(), -5000..5_i32, Just(i32::MIN)],
            length in prop_oneof![any::<u32>(), 0..300_u32],
            kind in 0..20_u16,
            flags in any::<u16>(),
            cut in 0..300_usize,
        ) {
            let mut bytes = datagram(kind, flags, &[&code.to_ne_bytes()[..], &body].concat());
            let _ = Answers::default().read(&bytes);
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            let _ = Answers::default().read(&bytes);
            bytes.truncate(cut);
            let _ = Answers::default().read(&bytes);
        }
    }
}
