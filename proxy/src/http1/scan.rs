//! Where a head or a trailer section ends. Looks at every byte once, however they arrive.

use memchr::memchr;

use super::Malformed;

/// How much room messages have beside their bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes of a head, or of trailers.
    pub head: usize,
    /// Fields of a head, or of trailers: at most [`super::head::FIELDS_MAX`].
    pub fields: usize,
    /// Bytes of a request line.
    pub line: usize,
    /// Bytes of the line that says how long a chunk is, its extensions included.
    pub chunk_line: usize,
    /// Interim answers to one request.
    pub interims: usize,
    /// Bytes that a client may send ahead of its turn.
    pub ahead: usize,
}

#[cfg(test)]
impl Room {
    /// Some.
    pub(super) const SOME: Self =
        Self { head: 64 << 10, fields: 128, line: 16 << 10, chunk_line: 1 << 10, interims: 32, ahead: 16 << 10 };
}

/// How far a section has been looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scan {
    /// Bytes looked at.
    seen: usize,
    /// Where the current line begins.
    line: usize,
    /// Lines that were complete.
    lines: usize,
    /// The first line that was not empty.
    first: Option<(usize, usize)>,
}

impl Scan {
    /// Looks at what is new in `input`, which begins where the section does. The length of the section, the empty line at
    /// its end included, once it is there. `first` is whether one empty line may come before it (RFC 9112, section 2.2).
    ///
    /// # Errors
    /// A line ends in LF alone, or it gets too long.
    pub fn section(&mut self, input: &[u8], first: bool, room: Room) -> Result<Option<usize>, Malformed> {
        while let Some(found) = memchr(b'\n', input.get(self.seen..).unwrap_or_default()) {
            let end = self.seen + found;
            if end == 0 || input[end - 1] != b'\r' {
                return Err(Malformed::LineEnd);
            }
            let empty = end - 1 == self.line;
            if !empty && self.first.is_none() {
                self.first = Some((self.line, end - 1));
            }
            self.seen = end + 1;
            self.line = end + 1;
            self.lines += 1;
            if first && self.lines == 1 && self.seen > room.line {
                return Err(Malformed::TargetTooLong);
            }
            if self.seen > room.head {
                return Err(self.too_long(first));
            }
            if empty && !(first && self.lines == 1) {
                return Ok(Some(self.seen));
            }
        }
        self.seen = input.len();
        if self.seen > room.head || (first && self.lines == 0 && self.seen > room.line) {
            return Err(self.too_long(first));
        }
        Ok(None)
    }

    /// Where the first line is, without its end, once it is complete.
    pub fn first_line(&self) -> Option<std::ops::Range<usize>> {
        self.first.map(|(start, end)| start..end)
    }

    fn too_long(self, first: bool) -> Malformed {
        if first && self.lines == 0 { Malformed::TargetTooLong } else { Malformed::HeadTooLarge }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: Room = Room::SOME;

    fn whole(input: &[u8]) -> Result<Option<usize>, Malformed> {
        Scan::default().section(input, true, ROOM)
    }

    #[test]
    fn a_head_ends_at_its_empty_line() {
        let head = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        assert_eq!(whole(head), Ok(Some(head.len())));
        assert_eq!(whole(&head[..head.len() - 1]), Ok(None));
        assert_eq!(whole(b"\r\nGET / HTTP/1.0\r\n\r\nmore"), Ok(Some(20)));
        assert_eq!(Scan::default().section(b"\r\nmore", false, ROOM), Ok(Some(2)));
    }

    #[test]
    fn lines_end_in_both_characters() {
        for bad in [&b"\n"[..], b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\r\na: b\n\r\n", b"GET / HTTP/1.1\r\n\n"] {
            assert_eq!(whole(bad), Err(Malformed::LineEnd), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn too_much_is_told_apart() {
        assert_eq!(whole(&vec![b'a'; ROOM.line + 1]), Err(Malformed::TargetTooLong));
        let line = [vec![b'a'; ROOM.line], b"\r\n".to_vec()].concat();
        assert_eq!(whole(&line), Err(Malformed::TargetTooLong));
        let fields = [b"GET / HTTP/1.1\r\n".to_vec(), vec![b'a'; ROOM.head]].concat();
        assert_eq!(whole(&fields), Err(Malformed::HeadTooLarge));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "(\r\n|\n|a|b: c|\r){0,12}", cuts in prop::collection::vec(0_usize..40, 0..6)) {
            let input = text.as_bytes();
            let mut scan = Scan::default();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < input.len()).collect();
            cuts.sort_unstable();
            let mut found = Ok(None);
            for end in cuts.into_iter().chain([input.len()]) {
                found = scan.section(&input[..end], true, ROOM);
                if found != Ok(None) {
                    break;
                }
            }
            prop_assert_eq!(found, whole(input));
        }
    }
}
