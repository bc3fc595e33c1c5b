//! The chunked coding, read (RFC 9112, section 7.1). Extensions are checked and let go.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use memchr::memchr;

use super::{
    Malformed, head,
    scan::{Room, Scan},
};

/// How far a chunked body has been read.
#[derive(Debug)]
pub enum Chunks {
    /// At a line that says how long the next chunk is.
    Size,
    /// So many bytes of the chunk are to come.
    Data(u64),
    /// At the end of a chunk's line.
    DataEnd,
    /// In the trailers.
    Trailers(Scan),
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Not enough has arrived.
    NeedMore,
    /// Some of the body.
    Data(Bytes),
    /// The end, with trailers if there were any.
    End(Option<HeaderMap>),
}

impl Chunks {
    /// Reads what it can off the front of `input`.
    pub fn read(&mut self, input: &mut BytesMut, room: Room) -> Result<Piece, Malformed> {
        loop {
            match self {
                Self::Size => {
                    let Some(end) = memchr(b'\n', input) else {
                        return if input.len() > room.chunk_line { Err(Malformed::ChunkSize) } else { Ok(Piece::NeedMore) };
                    };
                    let line = input.split_to(end + 1);
                    *self = match size(&line, room)? {
                        0 => Self::Trailers(Scan::default()),
                        size => Self::Data(size),
                    };
                }
                Self::Data(left) => {
                    if input.is_empty() {
                        return Ok(Piece::NeedMore);
                    }
                    let length = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                    let data = input.split_to(length).freeze();
                    *left -= length as u64;
                    if *left == 0 {
                        *self = Self::DataEnd;
                    }
                    return Ok(Piece::Data(data));
                }
                Self::DataEnd => match input[..] {
                    [b'\r', b'\n', ..] => {
                        let _ = input.split_to(2);
                        *self = Self::Size;
                    }
                    [] | [b'\r'] => return Ok(Piece::NeedMore),
                    _ => return Err(Malformed::ChunkEnd),
                },
                Self::Trailers(scan) => {
                    let Some(length) = scan.section(input, false, room)? else { return Ok(Piece::NeedMore) };
                    let section = input.split_to(length).freeze();
                    let trailers = (length > 2).then(|| head::trailers(section, room.fields)).transpose()?;
                    return Ok(Piece::End(trailers));
                }
            }
        }
    }
}

/// The size that a line says.
fn size(line: &[u8], room: Room) -> Result<u64, Malformed> {
    let line = line.strip_suffix(b"\r\n").ok_or(Malformed::LineEnd)?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (number, extension) = line.split_at(digits);
    // Sixteen digits are more than anybody can count to.
    if digits == 0 || digits > 15 || line.len() > room.chunk_line {
        return Err(Malformed::ChunkSize);
    }
    let begins_well = extension.is_empty() || extension.starts_with(b";");
    if !begins_well || extension.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(Malformed::ChunkSize);
    }
    let digit = |byte: &u8| u64::from(char::from(*byte).to_digit(16).unwrap_or(0));
    Ok(number.iter().fold(0, |sum, byte| sum << 4 | digit(byte)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The body, its trailers, and what comes after it.
    type Whole = (Vec<u8>, Option<HeaderMap>, Vec<u8>);

    fn read(pieces: &[&[u8]]) -> Result<Whole, Malformed> {
        let (mut chunks, mut input, mut body) = (Chunks::Size, BytesMut::new(), Vec::new());
        let mut pieces = pieces.iter();
        loop {
            match chunks.read(&mut input, Room::SOME)? {
                Piece::NeedMore => input.extend_from_slice(pieces.next().ok_or(Malformed::Incomplete)?),
                Piece::Data(data) => body.extend_from_slice(&data),
                Piece::End(trailers) => return Ok((body, trailers, input.to_vec())),
            }
        }
    }

    #[test]
    fn a_body_ends_where_it_says_and_leaves_the_rest() {
        let (body, trailers, rest) = read(&[b"3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\n\r\nGET"]).unwrap();
        assert_eq!((&body[..], trailers, &rest[..]), (&b"abc0123456789"[..], None, &b"GET"[..]));
        let (_, trailers, _) = read(&[b"0\r\nx-sum: 1\r\n\r\n"]).unwrap();
        assert_eq!(trailers.unwrap()["x-sum"], "1");
    }

    #[test]
    fn sizes_that_readers_differ_about_are_refused() {
        for bad in [
            "\r\n",
            "g\r\n",
            "0x3\r\nabc\r\n",
            "+3\r\nabc\r\n",
            "-3\r\n",
            " 3\r\nabc\r\n",
            "3 \r\nabc\r\n",
            "3\nabc\r\n",
            "3_0\r\n",
            "10000000000000000\r\n",
            "3 ;x\r\nabc\r\n",
            "3;\0\r\nabc\r\n",
            "3\t\r\n",
            "3\r\r\nabc\r\n",
        ] {
            assert!(read(&[bad.as_bytes()]).is_err_and(|why| why != Malformed::Incomplete), "{bad:?}");
        }
        assert_eq!(read(&[b"3\r\nabcd\r\n"]), Err(Malformed::ChunkEnd));
        assert_eq!(read(&[b"3\r\nabc\n0\r\n\r\n"]), Err(Malformed::ChunkEnd));
        assert_eq!(read(&[b"0\r\n\n"]), Err(Malformed::LineEnd));
        assert_eq!(read(&["a".repeat(2000).as_bytes()]), Err(Malformed::ChunkSize));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bodies in prop::collection::vec("[a-z]{1,20}", 0..5), cut in 1_usize..7) {
            let coded: String = bodies.iter().map(|body| format!("{:x}\r\n{body}\r\n", body.len())).collect();
            let coded = coded + "0\r\n\r\n";
            let pieces: Vec<&[u8]> = coded.as_bytes().chunks(cut).collect();
            prop_assert_eq!(read(&pieces).unwrap().0, bodies.concat().into_bytes());
        }

        #[test]
        fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = read(&[&bytes]);
        }
    }
}
