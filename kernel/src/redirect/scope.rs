//! What rules speak of: ranges of ports, and subnets.

use std::{fmt, net::IpAddr, str::FromStr};

/// Ports from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

/// A text is not a port or range of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a port (80) nor a range of ports (8000-8080)")]
pub struct RangeError(String);

impl FromStr for PortRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(RangeError(text.to_owned())),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Any of them.
    pub address: IpAddr,
    /// How many bits they share.
    pub prefix: u8,
}

/// A text is not a subnet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address (10.0.0.1) nor a subnet (10.0.0.0/8)")]
pub struct SubnetError(String);

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let wrong = || SubnetError(text.to_owned());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(most), |prefix| prefix.parse().map_err(|_| wrong()))?;
        if prefix > most { Err(wrong()) } else { Ok(Self { address, prefix }) }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Subnet {
    /// The address with everything behind the prefix set to zero, and the mask.
    pub(super) fn masked(&self) -> (Vec<u8>, Vec<u8>) {
        let octets = match self.address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let mask = |index: usize| {
            let bits = usize::from(self.prefix).saturating_sub(index * 8).min(8);
            u8::try_from((0xff00_u32 >> bits) & 0xff).unwrap_or(0xff)
        };
        let mask: Vec<u8> = (0..octets.len()).map(mask).collect();
        (octets.iter().zip(&mask).map(|(octet, mask)| octet & mask).collect(), mask)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_and_subnets_are_read_and_nonsense_is_named() {
        assert_eq!("8000-8080".parse(), Ok(PortRange { first: 8000, last: 8080 }));
        assert!("8080-8000".parse::<PortRange>().is_err());
        assert!("0".parse::<PortRange>().is_err());
        assert_eq!(
            "10.0.0.0/33".parse::<Subnet>().unwrap_err().to_string(),
            "`10.0.0.0/33` is neither an address (10.0.0.1) nor a subnet (10.0.0.0/8)"
        );
    }

    #[test]
    fn a_subnet_is_masked_to_its_prefix() {
        let subnet: Subnet = "10.77.9.255/20".parse().unwrap();
        assert_eq!(subnet.masked(), (vec![10, 77, 0, 0], vec![255, 255, 240, 0]));
        let host: Subnet = "fd77::1".parse().unwrap();
        assert_eq!(host.masked().1, [255; 16]);
        let all: Subnet = "1.2.3.4/0".parse().unwrap();
        assert_eq!(all.masked(), (vec![0; 4], vec![0; 4]));
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in ".{0,40}") {
            let _ = (text.parse::<PortRange>(), text.parse::<Subnet>());
        }

        #[test]
        fn what_is_printed_is_read_back(address in any::<IpAddr>(), prefix in 0..33_u8, first in 1..u16::MAX, more in 0..1000_u16) {
            let subnet = Subnet { address, prefix };
            prop_assert_eq!(subnet.to_string().parse(), Ok(subnet));
            let range = PortRange { first, last: first.saturating_add(more) };
            prop_assert_eq!(range.to_string().parse(), Ok(range));
        }
    }
}
