//! Records as they look on the wire (RFC 8446, section 5).

/// Bytes of a record's head.
pub(super) const HEAD: usize = 5;

/// Bytes of a tag, in every cipher of TLS 1.3.
pub(super) const TAG: usize = 16;

/// The most data in one record.
pub(super) const DATA_MAX: usize = 1 << 14;

/// The most that follows a record's head.
const SEALED_MAX: usize = DATA_MAX + 256;

/// Types of content.
pub(super) mod kind {
    pub(in super::super) const ALERT: u8 = 21;
    pub(in super::super) const HANDSHAKE: u8 = 22;
    pub(in super::super) const DATA: u8 = 23;
}

/// What is said of an error before the connection ends (RFC 8446, section 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(u8)]
pub(super) enum Alert {
    #[error("the peer sent something at the wrong time")]
    UnexpectedMessage = 10,
    #[error("a record was changed on its way")]
    BadRecordMac = 20,
    #[error("a record is too large")]
    RecordOverflow = 22,
    #[error("the peer sent an impossible value")]
    IllegalParameter = 47,
    #[error("the peer sent something that cannot be read")]
    DecodeError = 50,
    #[error("TLS failed on our side")]
    InternalError = 80,
}

/// Why a connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// The peer is to be told.
    #[error(transparent)]
    Found(#[from] Alert),
    /// The peer has told us.
    #[error("the peer gave up with TLS alert {0}")]
    Told(u8),
}

/// The head of a record of protected content.
pub(super) fn head(length: usize) -> [u8; HEAD] {
    // No record is longer than its two bytes can say.
    let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    [kind::DATA, 3, 3, high, low]
}

/// A record, protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) head: [u8; HEAD],
    pub(super) sealed: &'a [u8],
}

/// A whole record, and what comes after it; `None` while some of it is missing.
pub(super) fn split(input: &[u8]) -> Result<Option<(Record<'_>, &[u8])>, Alert> {
    let Some((&head, rest)) = input.split_first_chunk::<HEAD>() else { return Ok(None) };
    // The version in between says nothing (section 5.1).
    let [kind, _, _, high, low] = head;
    if kind != kind::DATA {
        return Err(Alert::UnexpectedMessage);
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > SEALED_MAX {
        return Err(Alert::RecordOverflow);
    }
    Ok(rest.split_at_checked(length).map(|(sealed, rest)| (Record { head, sealed }, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_waited_for_whole() {
        let mut bytes = head(3).to_vec();
        assert_eq!(split(&bytes), Ok(None));
        bytes.extend_from_slice(b"abcde");
        assert_eq!(split(&bytes), Ok(Some((Record { head: head(3), sealed: b"abc" }, &b"de"[..]))));
    }

    #[test]
    fn what_cannot_be_a_record_is_refused_by_its_head() {
        assert_eq!(split(&head(SEALED_MAX + 1)), Err(Alert::RecordOverflow));
        assert_eq!(split(&[20, 3, 3, 0, 1, 1]), Err(Alert::UnexpectedMessage));
    }
}
