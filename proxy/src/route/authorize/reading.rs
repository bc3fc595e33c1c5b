//! How a path may be read. The server behind us may undo encodings, drop parameters, merge slashes and walk along dot segments,
//! or not, and which it does nobody told us: a policy has to be right about all of it.
//!
//! Sources: RFC 3986, sections 3.3 (parameters of segments), 5.2.4 (dot segments) and 6.2.2 (encodings).

use std::collections::BTreeSet;

/// How often what is encoded may be encoded again. Deeper, a path has no reading.
const DEPTH: usize = 2;

/// All the readings of a path; none of one that no two servers read alike.
pub(super) type Readings = BTreeSet<Vec<u8>>;

/// Whether `path` can be read in one way only: most can.
pub(super) fn is_plain(path: &str) -> bool {
    let bytes = path.as_bytes();
    let odd = |byte: &u8| matches!(byte, b'%' | b'\\' | b';' | 0..=0x20 | 0x7f..);
    bytes.first() == Some(&b'/') && !bytes.iter().any(odd) && !bytes.windows(2).any(|two| matches!(two, b"//" | b"/."))
}

/// The readings of `path`.
pub(super) fn of(path: &str) -> Readings {
    let mut decoded = vec![path.as_bytes().to_vec()];
    loop {
        let last = decoded.last().map(Vec::as_slice).unwrap_or_default();
        match decode(last) {
            Ok(same) if same == last => break,
            Ok(next) if decoded.len() <= DEPTH => decoded.push(next),
            // What was a percent sign for whoever undoes encodings once is none for nobody else.
            Err(Odd::Malformed) if decoded.len() > 1 => break,
            Ok(_) | Err(_) => return Readings::new(),
        }
    }
    let with = |path: Vec<u8>, change: fn(&[u8]) -> Vec<u8>| {
        let changed = change(&path);
        [path, changed]
    };
    let all = decoded.into_iter().flat_map(|path| with(path, turn_backslashes)).flat_map(|path| with(path, drop_parameters));
    all.flat_map(|path| with(path, merge_slashes)).flat_map(|path| with(path, walk_dots)).collect()
}

/// Why encodings cannot be undone.
#[derive(Debug, PartialEq, Eq)]
enum Odd {
    /// Something is none.
    Malformed,
    /// Something is a NUL, a control character, a byte that no text in UTF-8 has or a character that is longer than it need be: a
    /// server may end the path there, or take it for another character.
    Forbidden,
}

/// Undoes encodings, once.
fn decode(path: &[u8]) -> Result<Vec<u8>, Odd> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let byte = match byte {
            b'%' => {
                let (digits, after) = rest.split_at_checked(2).ok_or(Odd::Malformed)?;
                rest = after;
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                let (high, low) = digit(digits[0]).zip(digit(digits[1])).ok_or(Odd::Malformed)?;
                high << 4 | low
            }
            other => *other,
        };
        if matches!(byte, 0..=0x1f | 0x7f | 0xc0 | 0xc1 | 0xf5..) {
            return Err(Odd::Forbidden);
        }
        decoded.push(byte);
    }
    if decoded.windows(2).any(is_overlong) { Err(Odd::Forbidden) } else { Ok(decoded) }
}

/// Whether a character begins here whose UTF-8 is longer than it need be: lenient servers take it for the short one, which may be a
/// dot or a slash. Those of two bytes begin with a byte that no text has. Source: RFC 3629, section 3.
fn is_overlong(two: &[u8]) -> bool {
    matches!(two, [0xe0, 0x80..=0x9f] | [0xf0, 0x80..=0x8f])
}

fn turn_backslashes(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect()
}

fn drop_parameters(path: &[u8]) -> Vec<u8> {
    let segments = path.split(|byte| *byte == b'/').map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default());
    segments.collect::<Vec<_>>().join(&b'/')
}

fn merge_slashes(path: &[u8]) -> Vec<u8> {
    let mut merged = path.to_vec();
    merged.dedup_by(|one, other| (*one, *other) == (b'/', b'/'));
    merged
}

fn walk_dots(path: &[u8]) -> Vec<u8> {
    let mut walked: Vec<&[u8]> = Vec::new();
    let segments: Vec<&[u8]> = path.strip_prefix(b"/").unwrap_or(path).split(|byte| *byte == b'/').collect();
    for (number, segment) in segments.iter().enumerate() {
        let is_last = number + 1 == segments.len();
        match *segment {
            b"." | b".." => {
                if *segment == b".." {
                    walked.pop();
                }
                if is_last {
                    walked.push(b"");
                }
            }
            other => walked.push(other),
        }
    }
    [b"/", walked.join(&b'/').as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Vec<String> {
        of(path).into_iter().map(|reading| String::from_utf8(reading).unwrap()).collect()
    }

    #[test]
    fn most_paths_are_read_in_one_way() {
        for path in ["/", "/cart", "/cart/7/items", "/a.b/c..d/e-f_g~h", "/cart/"] {
            assert!(is_plain(path), "{path}");
            assert_eq!(read(path), [path]);
        }
        for path in ["/a//b", "/a/./b", "/a/../b", "/a;x/b", "/%61", "/a\\b", "*", "/a b", "/\u{e9}", "/.a"] {
            assert!(!is_plain(path), "{path}");
        }
    }

    #[test]
    fn every_way_of_reading_is_found() {
        for (path, wanted) in [
            ("/public/../admin", "/admin"),
            ("/public/%2e%2e/admin", "/admin"),
            ("/public/..%2fadmin", "/admin"),
            ("/public/..;/admin", "/admin"),
            ("/public\\..\\admin", "/admin"),
            ("//admin", "/admin"),
            ("/%61dmin", "/admin"),
            ("/%2561dmin", "/admin"),
            ("/admin;x=y", "/admin"),
            ("/./admin", "/admin"),
            ("/a/..", "/"),
            ("/a/../b/;/../a/x", "/b/a/x"),
        ] {
            assert!(read(path).iter().any(|reading| reading == wanted), "{path}: {:?}", read(path));
            assert!(read(path).iter().any(|reading| reading == path), "{path}: as it is written");
        }
    }

    #[test]
    fn what_no_two_servers_read_alike_has_no_reading() {
        for path in
            ["/a%00", "/a%2500", "/%zz", "/%", "/%4", "/%c0%af", "/%e0%80%af", "/%f0%80%80%af", "/%25252561", "/a%0ab", "/%f5"]
        {
            assert!(of(path).is_empty(), "{path}");
        }
        assert_eq!(read("/100%25"), ["/100%", "/100%25"]);
    }
}
