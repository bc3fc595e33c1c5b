//! Which connections are redirected where. Pure.

use std::{fmt, net::IpAddr, str::FromStr};

use super::expression::{Expression, Register};

/// What to redirect, and what to leave alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Where the proxy takes the app's calls.
    pub outbound_port: u16,
    /// Where it takes calls to the app.
    pub inbound_port: u16,
    /// The proxy's own user, whose connections pass; `None` where a mark tells them.
    pub exempt_user: Option<u32>,
    /// The mark on the proxy's own sockets, whose connections pass.
    pub exempt_mark: Option<u32>,
    /// Calls to these ports of the app do not go through the proxy.
    pub skip_inbound: Vec<PortRange>,
    /// Calls of the app to these ports do not.
    pub skip_outbound: Vec<PortRange>,
    /// Nor do its calls to these addresses.
    pub skip_subnets: Vec<Subnet>,
}

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
    fn masked(&self) -> (Vec<u8>, Vec<u8>) {
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

/// A chain of rules at one of the kernel's hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) name: &'static str,
    pub(super) hook: Hook,
    pub(super) rules: Vec<Rule>,
}

/// Where a chain hangs. Both translate addresses, at the priority of destination NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    Prerouting,
    Output,
}

/// One rule: what it does, and how nft(8) writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) text: String,
    pub(super) expressions: Vec<Expression>,
}

/// Index of the loopback link in every network namespace.
const LOOPBACK: u32 = 1;

impl Rules {
    /// The chains that carry these rules out.
    pub(super) fn chains(&self) -> [Chain; 2] {
        [
            Chain { name: "inbound", hook: Hook::Prerouting, rules: self.inbound() },
            Chain { name: "outbound", hook: Hook::Output, rules: self.outbound() },
        ]
    }

    fn inbound(&self) -> Vec<Rule> {
        let mut rules = vec![Rule::passing("iif \"lo\"", vec![Expression::InputLink, equals(&LOOPBACK.to_ne_bytes())])];
        rules.extend(self.skip_inbound.iter().map(Rule::passing_port));
        rules.push(Rule::redirecting(self.inbound_port));
        rules
    }

    fn outbound(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        if let Some(user) = self.exempt_user {
            rules.push(Rule::passing(&format!("meta skuid {user}"), vec![Expression::SocketUser, equals(&user.to_ne_bytes())]));
        }
        if let Some(mark) = self.exempt_mark {
            rules.push(Rule::passing(&format!("meta mark {mark:#010x}"), vec![Expression::Mark, equals(&mark.to_ne_bytes())]));
        }
        rules.push(Rule::passing("oif \"lo\"", vec![Expression::OutputLink, equals(&LOOPBACK.to_ne_bytes())]));
        rules.extend(self.skip_subnets.iter().map(Rule::passing_subnet));
        rules.extend(self.skip_outbound.iter().map(Rule::passing_port));
        rules.push(Rule::redirecting(self.outbound_port));
        rules
    }
}

impl Rule {
    fn passing(text: &str, mut expressions: Vec<Expression>) -> Self {
        expressions.push(Expression::Return);
        Self { text: format!("{text} return"), expressions }
    }

    fn passing_port(range: &PortRange) -> Self {
        let mut expressions = tcp();
        expressions.push(Expression::DestinationPort);
        let (first, last) = (range.first.to_be_bytes().to_vec(), range.last.to_be_bytes().to_vec());
        expressions.push(if first == last { equals(&first) } else { Expression::Range { first, last } });
        Self::passing(&format!("tcp dport {range}"), expressions)
    }

    fn passing_subnet(subnet: &Subnet) -> Self {
        let (network, mask) = subnet.masked();
        let (family, word, destination) = match subnet.address {
            IpAddr::V4(_) => (2_u8, "ip", Expression::DestinationV4),
            IpAddr::V6(_) => (10_u8, "ip6", Expression::DestinationV6),
        };
        let expressions = vec![Expression::Family, equals(&[family]), destination, Expression::Mask(mask), equals(&network)];
        Self::passing(&format!("{word} daddr {subnet}"), expressions)
    }

    fn redirecting(port: u16) -> Self {
        let mut expressions = tcp();
        expressions.push(Expression::Load(Register::First, port.to_be_bytes().to_vec()));
        expressions.push(Expression::Redirect);
        Self { text: format!("meta l4proto tcp redirect to :{port}"), expressions }
    }
}

fn tcp() -> Vec<Expression> {
    vec![Expression::Transport, equals(&[6])]
}

fn equals(value: &[u8]) -> Expression {
    Expression::Equals(value.to_vec())
}

#[cfg(test)]
mod tests {
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
}
