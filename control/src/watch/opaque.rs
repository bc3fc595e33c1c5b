//! Ports that an annotation declares to be nobody's business but the two ends'.

use std::{ops::RangeInclusive, str::FromStr};

/// Ports that one annotation may name: a range of all of them would be a rule for each.
const PORTS_MAX: usize = 1024;

/// What the annotation says: numbers and ranges of them, by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OpaquePorts(Vec<RangeInclusive<u16>>);

impl OpaquePorts {
    pub(super) fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|ports| ports.contains(&port))
    }

    /// Each of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = u16> {
        self.0.iter().cloned().flatten()
    }
}

impl FromStr for OpaquePorts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |item: &str| format!("`{item}` is neither a port nor a range of ports, as in `3306, 5432-5440`");
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        let range = |item: &str| {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let (first, last) = port(first).zip(port(last)).ok_or_else(|| wrong(item))?;
            if first > last { Err(wrong(item)) } else { Ok(first..=last) }
        };
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let ranges: Vec<RangeInclusive<u16>> = items.map(range).collect::<Result<_, _>>()?;
        let count: usize = ranges.iter().map(RangeInclusive::len).sum();
        if count > PORTS_MAX {
            return Err(format!("it names {count} ports, and {PORTS_MAX} are the most"));
        }
        Ok(Self(ranges))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_are_read() {
        let ports: OpaquePorts = "3306, 5432-5433,".parse().unwrap();
        assert_eq!(ports.iter().collect::<Vec<_>>(), [3306, 5432, 5433]);
        assert!(ports.contains(5433) && !ports.contains(5434));
    }

    #[test]
    fn anything_else_is_a_mistake() {
        for bad in ["0", "70000", "x", "5-4", "1-", "mysql", "1-2-3", "1-2000"] {
            assert!(bad.parse::<OpaquePorts>().is_err(), "{bad}");
        }
    }
}
