//! A rule as expressions of nf_tables. Pure.

use std::net::IpAddr;

use super::{
    expression::Expression,
    rules::{Action, Match, Rule},
    scope::Subnet,
};

/// Index of the loopback link in every network namespace.
const LOOPBACK: u32 = 1;

/// `IPPROTO_TCP`.
const TCP: u8 = 6;

impl Rule {
    /// What the kernel is told, and tells back.
    pub(super) fn expressions(&self) -> Vec<Expression> {
        let mut expressions = match &self.of {
            Match::FromLoopback => vec![Expression::InputLink, equals(&LOOPBACK.to_ne_bytes())],
            Match::ToLoopback => vec![Expression::OutputLink, equals(&LOOPBACK.to_ne_bytes())],
            Match::User(user) => vec![Expression::SocketUser, equals(&user.to_ne_bytes())],
            Match::Mark(mark) => vec![Expression::Mark, equals(&mark.to_ne_bytes())],
            Match::To(subnet) => to(subnet),
            Match::Ports(range) => {
                let (first, last) = (range.first.to_be_bytes().to_vec(), range.last.to_be_bytes().to_vec());
                let port = if first == last { equals(&first) } else { Expression::Range { first, last } };
                [tcp(), vec![Expression::DestinationPort, port]].concat()
            }
            Match::Tcp => tcp(),
        };
        match self.then {
            Action::Pass => expressions.push(Expression::Return),
            Action::Redirect(port) => {
                expressions.extend([Expression::Load(port.to_be_bytes().to_vec()), Expression::Redirect]);
            }
        }
        expressions
    }
}

fn to(subnet: &Subnet) -> Vec<Expression> {
    let (network, mask) = subnet.masked();
    // `NFPROTO_IPV4`, `NFPROTO_IPV6`.
    let (family, destination) = match subnet.address {
        IpAddr::V4(_) => (2, Expression::DestinationV4),
        IpAddr::V6(_) => (10, Expression::DestinationV6),
    };
    vec![Expression::Family, equals(&[family]), destination, Expression::Mask(mask), equals(&network)]
}

fn tcp() -> Vec<Expression> {
    vec![Expression::Transport, equals(&[TCP])]
}

fn equals(value: &[u8]) -> Expression {
    Expression::Equals(value.to_vec())
}
