//! Reading texts, and keeping count of what is wrong with them.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use certs::issue::LEAF_MAX;

use super::{Ca, Source};
use crate::serve::LIFE_MIN;

/// What was found wrong so far.
#[derive(Default)]
pub(super) struct Mistakes(pub(super) Vec<String>);

impl Mistakes {
    pub(super) fn kept<T, E: std::fmt::Display>(&mut self, flag: &str, text: &str, read: Result<T, E>) -> Option<T> {
        read.map_err(|error| self.0.push(format!("{flag} {text}: {error}"))).ok()
    }

    pub(super) fn parsed<T: FromStr>(&mut self, flag: &str, text: &str, expected: &str) -> Option<T> {
        self.kept(flag, text, text.parse().map_err(|_| format!("expected {expected}")))
    }

    pub(super) fn port(&mut self, flag: &str, text: &str) -> Option<u16> {
        let port = text.parse().ok().filter(|port| *port > 0);
        self.kept(flag, text, port.ok_or("expected a port from 1 to 65535"))
    }

    pub(super) fn distinct(&mut self, [xds, certificates, admin]: [u16; 3]) {
        if xds == certificates || certificates == admin || admin == xds {
            self.0.push(String::from("--xds-port, --certs-port and --admin-port must differ"));
        }
    }

    pub(super) fn source(&mut self, source: Option<PathBuf>, kubernetes: bool) -> Option<Source> {
        let Some(source) = source else {
            if !kubernetes {
                self.0.push(String::from("--source is missing: the directory of manifests to follow; or give --kubernetes"));
                return None;
            }
            return Some(Source::Cluster);
        };
        if kubernetes {
            self.0.push(String::from("--source and --kubernetes are both given: only one can be followed"));
        }
        if !source.is_dir() {
            self.0.push(format!("--source {}: there is no such directory", source.display()));
        }
        Some(Source::Folder(source))
    }

    pub(super) fn ca(&mut self, folder: Option<PathBuf>, certificate: Option<PathBuf>, key: Option<PathBuf>) -> Option<Ca> {
        match (folder, certificate, key) {
            (Some(folder), None, None) => Some(Ca::Folder(folder)),
            (None, Some(certificate), Some(key)) => {
                self.is_file("--ca-cert", &certificate);
                self.is_file("--ca-key", &key);
                Some(Ca::Files { certificate, key })
            }
            (None, None, None) => self.ca_wrong("a CA is missing"),
            (Some(_), ..) => self.ca_wrong("two CAs are named"),
            (None, ..) => self.ca_wrong("half of a CA is named"),
        }
    }

    pub(super) fn ca_wrong(&mut self, what: &str) -> Option<Ca> {
        self.0.push(format!("{what}: give --ca-dir, or --ca-cert with --ca-key"));
        None
    }

    fn is_file(&mut self, flag: &str, path: &Path) {
        if !path.is_file() {
            self.0.push(format!("{flag} {}: there is no such file", path.display()));
        }
    }
}

/// Reads `90s`, `30m`, `24h`, or a number of seconds.
pub(super) fn lifetime(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(String::from("expected a time, as in 90s, 30m or 24h")),
    };
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    let life = seconds.map(Duration::from_secs).ok_or("expected a time, as in 90s, 30m or 24h")?;
    if (LIFE_MIN..=LEAF_MAX).contains(&life) {
        return Ok(life);
    }
    Err(format!("expected {} s to {} h", LIFE_MIN.as_secs(), LEAF_MAX.as_secs() / 3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_read_as_people_write_them() {
        for (text, seconds) in [("90s", Some(90)), ("3600", Some(3600)), ("24h", Some(86_400)), ("30m", Some(1800))] {
            assert_eq!(lifetime(text).ok(), seconds.map(Duration::from_secs), "{text}");
        }
        for text in ["25h", "9s", "", "h", "1.5h", "99999999999999999999h", "1d"] {
            assert!(lifetime(text).is_err(), "{text}");
        }
    }
}
