//! Who may do what at one of this proxy's own ports.

use std::{net::IpAddr, sync::Arc};

use http::HeaderName;

/// What policies say of a port.
#[derive(Clone, Debug, Default)]
pub struct Authorization {
    /// Whether callers must prove who they are, whatever else lets them in.
    pub proof: bool,
    /// Whoever one of these is about is refused.
    pub deny: Vec<Rule>,
    /// Whoever none of these is about is refused; `None` where nothing is said about who may.
    pub allow: Option<Vec<Rule>>,
    /// What these are about is counted and logged.
    pub audit: Vec<Rule>,
}

/// One rule: it is about a request if both parts hold.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Which policy it is of, and its number there.
    pub name: Arc<str>,
    /// Who asks.
    pub who: Tree<Who>,
    /// What is asked.
    pub what: Tree<What>,
}

/// Conditions, put together.
#[derive(Clone, Debug)]
pub enum Tree<T> {
    /// Each holds; so it is of none.
    All(Vec<Tree<T>>),
    /// One holds.
    Any(Vec<Tree<T>>),
    /// It does not hold.
    Not(Box<Tree<T>>),
    /// One condition.
    Is(T),
}

/// A condition on whoever asks.
#[derive(Clone, Debug)]
pub enum Who {
    /// He has proved an identity.
    Proved,
    /// He has proved this one, as it is written in certificates.
    Identity(Text),
    /// He calls from here.
    Source(Block),
}

/// A condition on what is asked.
#[derive(Clone, Debug)]
pub enum What {
    /// The port.
    Port(u16),
    /// The method of a request.
    Method(Text),
    /// The host of a request, without its port, in lower case.
    Host(Text),
    /// A header field of a request; with any value where none is named.
    Header(HeaderName, Option<Text>),
    /// The path of a request.
    Path(PathText),
}

/// Some texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// This.
    Exact(Box<str>),
    /// All that begin so.
    Prefix(Box<str>),
    /// All that end so.
    Suffix(Box<str>),
    /// All in which this is found.
    Contains(Box<str>),
}

/// Some paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathText {
    /// By the text.
    Text(Text),
    /// By their parts.
    Template(Vec<Piece>),
}

/// A part of a path's template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// This.
    Exact(Box<str>),
    /// One segment that is not empty.
    Segment,
    /// Anything, or nothing.
    Rest,
}

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Any address in it.
    pub address: IpAddr,
    /// How many of its first bits count.
    pub bits: u8,
}

impl Block {
    /// Whether `address` is in it. One of IPv4 that is written as one of IPv6 is the same.
    pub fn holds(self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let differs = u32::from(ours) ^ u32::from(theirs);
                differs.leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let differs = u128::from(ours) ^ u128::from(theirs);
                differs.leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_holds_the_addresses_that_begin_as_it_does() {
        let holds =
            |block: &str, bits, address: &str| Block { address: block.parse().unwrap(), bits }.holds(address.parse().unwrap());
        assert!(holds("10.77.0.0", 16, "10.77.3.4") && !holds("10.77.0.0", 16, "10.78.3.4"));
        assert!(holds("10.77.0.5", 32, "10.77.0.5") && !holds("10.77.0.5", 32, "10.77.0.4"));
        assert!(holds("0.0.0.0", 0, "192.0.2.1") && !holds("0.0.0.0", 0, "fd77::1"));
        assert!(holds("fd77::", 16, "fd77:1::1") && !holds("fd77::", 16, "fd78::1"));
        assert!(holds("10.77.0.0", 16, "::ffff:10.77.3.4"));
    }
}
