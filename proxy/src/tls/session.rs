//! A connection whose handshake is done: data to records and back. No socket is read or written here.

use bytes::BytesMut;
use rustls::{ConnectionTrafficSecrets, ExtractedSecrets, kernel::KernelConnection};

use super::{
    key::Key,
    record::{self, Alert, DATA_MAX, Fault, Record, TAG, kind},
    sealed::Sealed,
};

/// Records that one key protects: no more are safe with AES-GCM (RFC 8446, section 5.5).
const RECORDS_MAX: u64 = 1 << 24;

/// Records in a row that carry no data, before it is too much.
const FRUITLESS_MAX: u32 = 32;

/// Handshake messages that follow a handshake.
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;

/// The alert that says goodbye.
const CLOSE_NOTIFY: u8 = 0;

/// Where the keys after the first come from (RFC 8446, section 7.2).
pub(super) trait Keys {
    /// The next one for what we send.
    fn next_to_send(&mut self) -> Result<(u64, ConnectionTrafficSecrets), rustls::Error>;
    /// The next one for what we receive.
    fn next_to_receive(&mut self) -> Result<(u64, ConnectionTrafficSecrets), rustls::Error>;
}

impl<Data> Keys for KernelConnection<Data> {
    fn next_to_send(&mut self) -> Result<(u64, ConnectionTrafficSecrets), rustls::Error> {
        self.update_tx_secret()
    }

    fn next_to_receive(&mut self) -> Result<(u64, ConnectionTrafficSecrets), rustls::Error> {
        self.update_rx_secret()
    }
}

/// A connection whose handshake is done.
pub(super) struct Session {
    send: Key,
    receive: Key,
    keys: Box<dyn Keys>,
    /// The peer wants us to go on to the next key before we send data again.
    owed: bool,
    /// Records in a row that carried no data.
    fruitless: u32,
}

/// What opening records has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// Bytes that were used up. What follows is no whole record.
    pub(super) used: usize,
    /// The peer has said goodbye; what it says after that means nothing.
    pub(super) closed: bool,
}

impl Session {
    pub(super) fn new(secrets: ExtractedSecrets, keys: Box<dyn Keys>) -> Result<Self, Alert> {
        let ExtractedSecrets { tx, rx } = secrets;
        Ok(Self { send: Key::new(tx)?, receive: Key::new(rx)?, keys, owed: false, fruitless: 0 })
    }

    /// Opens all whole records that `records` begins with, and appends their data to `input`.
    pub(super) fn open(&mut self, records: &[u8], input: &mut BytesMut) -> Result<Opened, Fault> {
        let mut left = records;
        while let Some((record, rest)) = record::split(left)? {
            let closed = self.open_one(record, input)?;
            left = rest;
            if closed {
                return Ok(Opened { used: records.len(), closed });
            }
        }
        Ok(Opened { used: records.len() - left.len(), closed: false })
    }

    /// Opens one record. Says whether it was the goodbye.
    fn open_one(&mut self, record: Record<'_>, input: &mut BytesMut) -> Result<bool, Fault> {
        let begin = input.len();
        input.resize(begin + record.sealed.len().saturating_sub(TAG), 0);
        let opened = self.receive.open(record, &mut input[begin..]);
        // Padding follows the type of the content, which is not zero (section 5.4).
        let place = opened.and_then(|()| input[begin..].iter().rposition(|byte| *byte != 0).ok_or(Alert::UnexpectedMessage));
        let (kind, end) = match place {
            Ok(place) if place > DATA_MAX => return forget(input, begin, Alert::RecordOverflow),
            Ok(place) => (input[begin + place], begin + place),
            // Nobody may see what was not authenticated.
            Err(alert) => return forget(input, begin, alert),
        };
        input.truncate(end);
        if kind == kind::DATA && end > begin {
            self.fruitless = 0;
            return Ok(false);
        }
        self.fruitless += 1;
        if self.fruitless > FRUITLESS_MAX {
            return forget(input, begin, Alert::UnexpectedMessage);
        }
        let content = input.split_off(begin);
        match kind {
            kind::DATA => Ok(false),
            kind::ALERT => alerted(&content),
            kind::HANDSHAKE => Ok(self.messages(&content).map(|()| false)?),
            _ => Err(Alert::UnexpectedMessage.into()),
        }
    }

    /// Handshake messages after the handshake (section 4.6).
    fn messages(&mut self, mut content: &[u8]) -> Result<(), Alert> {
        if content.is_empty() {
            return Err(Alert::UnexpectedMessage);
        }
        while let Some((&[kind, high, middle, low], rest)) = content.split_first_chunk::<4>() {
            let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            let (message, rest) = rest.split_at_checked(length).ok_or(Alert::DecodeError)?;
            match (kind, message) {
                // Nobody resumes: a session that is would outlive its certificate.
                (NEW_SESSION_TICKET, _) => {}
                // Whatever follows would be protected by another key.
                (KEY_UPDATE, _) if !rest.is_empty() => return Err(Alert::UnexpectedMessage),
                (KEY_UPDATE, [asked @ 0..=1]) => {
                    self.receive = Key::new(self.keys.next_to_receive().map_err(|_| Alert::InternalError)?)?;
                    // However often it asks before we send again, one answer will do (section 4.6.3).
                    self.owed |= *asked == 1;
                }
                (KEY_UPDATE, [_]) => return Err(Alert::IllegalParameter),
                (KEY_UPDATE, _) => return Err(Alert::DecodeError),
                _ => return Err(Alert::UnexpectedMessage),
            }
            content = rest;
        }
        if content.is_empty() { Ok(()) } else { Err(Alert::DecodeError) }
    }

    /// Seals `data` in as many records as it takes, after what `out` holds already.
    pub(super) fn seal(&mut self, data: &[u8], out: &mut Sealed) -> Result<(), Alert> {
        for piece in data.chunks(DATA_MAX) {
            if self.owed || self.send.used() >= RECORDS_MAX {
                self.renew(out)?;
            }
            self.seal_one(kind::DATA, piece, out)?;
        }
        Ok(())
    }

    /// Says goodbye.
    pub(super) fn close(&mut self, out: &mut Sealed) -> Result<(), Alert> {
        self.seal_one(kind::ALERT, &[1, CLOSE_NOTIFY], out)
    }

    /// Says what is wrong.
    pub(super) fn complain(&mut self, alert: Alert, out: &mut Sealed) {
        // Without a key there is nothing to say it with.
        let _ = self.seal_one(kind::ALERT, &[2, alert as u8], out);
    }

    /// Goes on to the next key for what we send.
    pub(super) fn renew(&mut self, out: &mut Sealed) -> Result<(), Alert> {
        let not_asked = 0;
        self.seal_one(kind::HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, not_asked], out)?;
        self.owed = false;
        self.next_key()
    }

    pub(super) fn next_key(&mut self) -> Result<(), Alert> {
        self.send = Key::new(self.keys.next_to_send().map_err(|_| Alert::InternalError)?)?;
        Ok(())
    }

    pub(super) fn seal_one(&mut self, kind: u8, content: &[u8], out: &mut Sealed) -> Result<(), Alert> {
        let head = record::head(content.len() + 1 + TAG);
        out.put(&head);
        let (sealed, rest) = out.room(content.len() + 1 + TAG).split_at_mut(content.len());
        self.send.seal(head, content, sealed, kind, rest)
    }
}

/// Takes off what came of a record that cannot be.
fn forget(input: &mut BytesMut, begin: usize, alert: Alert) -> Result<bool, Fault> {
    input.truncate(begin);
    Err(alert.into())
}

/// What the peer says of an end. Says whether it was the goodbye (section 6).
fn alerted(content: &[u8]) -> Result<bool, Fault> {
    const USER_CANCELED: u8 = 90;
    match content {
        [_, CLOSE_NOTIFY] => Ok(true),
        [_, USER_CANCELED] => Ok(false),
        [_, other] => Err(Fault::Told(*other)),
        _ => Err(Alert::DecodeError.into()),
    }
}
