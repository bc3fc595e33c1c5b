//! Which connections are redirected where. Pure.

use std::fmt;

use super::scope::{PortRange, Subnet};

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

/// How the rules are spread over tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One table for IPv4 and IPv6. Linux 5.2 and later translate addresses in it.
    Shared,
    /// A table for each of them that the kernel has.
    Separate,
}

impl Layout {
    /// The tables; `ipv6` tells whether this kernel has IPv6.
    pub(super) fn families(self, ipv6: bool) -> &'static [Family] {
        match self {
            Self::Shared => &[Family::Inet],
            Self::Separate if ipv6 => &[Family::V4, Family::V6],
            Self::Separate => &[Family::V4],
        }
    }
}

/// What a table is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Inet,
    V4,
    V6,
}

impl Family {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Inet, Self::V4, Self::V6];

    /// `NFPROTO_INET`, `NFPROTO_IPV4`, `NFPROTO_IPV6`.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Inet => 1,
            Self::V4 => 2,
            Self::V6 => 10,
        }
    }

    /// As nft(8) calls it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::V4 => "ip",
            Self::V6 => "ip6",
        }
    }

    /// Whether packets to `subnet` come by its tables.
    fn sees(self, subnet: &Subnet) -> bool {
        match self {
            Self::Inet => true,
            Self::V4 => subnet.address.is_ipv4(),
            Self::V6 => subnet.address.is_ipv6(),
        }
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

/// `NF_IP_PRI_NAT_DST`.
pub(super) const PRIORITY: i32 = -100;

impl Hook {
    /// `NF_INET_PRE_ROUTING`, `NF_INET_LOCAL_OUT`.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Prerouting => 0,
            Self::Output => 3,
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prerouting => "prerouting",
            Self::Output => "output",
        })
    }
}

/// One rule: connections that are so are treated so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) of: Match,
    pub(super) then: Action,
}

/// Which connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// Those that came over loopback.
    FromLoopback,
    /// Those that leave over loopback: to 127.0.0.1, ::1 and this pod's own addresses.
    ToLoopback,
    /// Those whose socket belongs to this user.
    User(u32),
    /// Those whose packets carry this mark.
    Mark(u32),
    /// Those to these addresses.
    To(Subnet),
    /// TCP to these ports.
    Ports(PortRange),
    /// TCP.
    Tcp,
}

/// What becomes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing: the chain is left.
    Pass,
    /// They go to this port of ours; the kernel remembers where they were going.
    Redirect(u16),
}

impl Rules {
    /// The chains that carry these rules out in a table of `family`.
    pub(super) fn chains(&self, family: Family) -> [Chain; 2] {
        [
            Chain { name: "inbound", hook: Hook::Prerouting, rules: self.inbound() },
            Chain { name: "outbound", hook: Hook::Output, rules: self.outbound(family) },
        ]
    }

    fn inbound(&self) -> Vec<Rule> {
        let mut rules = vec![
            pass(Match::FromLoopback),
            // Rewriting would replace the address by the link's first. Left alone, such a connection is one whose destination is
            // the proxy itself, and the proxy sees that it would be dialling itself. Port `outbound_port` is not left alone:
            // what is behind it serves the app only.
            pass(Match::Ports(PortRange { first: self.inbound_port, last: self.inbound_port })),
        ];
        rules.extend(self.skip_inbound.iter().copied().map(Match::Ports).map(pass));
        rules.push(Rule { of: Match::Tcp, then: Action::Redirect(self.inbound_port) });
        rules
    }

    fn outbound(&self, family: Family) -> Vec<Rule> {
        let own = self.exempt_user.map(Match::User).into_iter().chain(self.exempt_mark.map(Match::Mark));
        let subnets = self.skip_subnets.iter().filter(|subnet| family.sees(subnet)).copied().map(Match::To);
        let ports = self.skip_outbound.iter().copied().map(Match::Ports);
        // A virtual address is not on loopback, so the app's calls to its own service are redirected as all others.
        let passing = own.chain([Match::ToLoopback]).chain(subnets).chain(ports);
        let redirecting = Rule { of: Match::Tcp, then: Action::Redirect(self.outbound_port) };
        passing.map(pass).chain([redirecting]).collect()
    }
}

fn pass(of: Match) -> Rule {
    Rule { of, then: Action::Pass }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            outbound_port: 17001,
            inbound_port: 17002,
            exempt_user: Some(7717),
            exempt_mark: Some(7),
            skip_inbound: vec!["17003".parse().unwrap()],
            skip_outbound: vec!["5432".parse().unwrap()],
            skip_subnets: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
        }
    }

    #[test]
    fn what_passes_is_asked_before_what_is_redirected() {
        for chain in rules().chains(Family::Inet) {
            let (last, before) = chain.rules.split_last().unwrap();
            assert!(matches!(last, Rule { of: Match::Tcp, then: Action::Redirect(_) }));
            assert!(before.iter().all(|rule| rule.then == Action::Pass));
        }
    }

    #[test]
    fn the_proxys_own_connections_are_told_apart_before_anything_else() {
        let [_, outbound] = rules().chains(Family::Inet);
        assert_eq!(outbound.rules[..2], [pass(Match::User(7717)), pass(Match::Mark(7))]);
    }

    #[test]
    fn a_table_of_one_family_has_no_subnets_of_the_other() {
        let subnets = |family| {
            let [_, outbound] = rules().chains(family);
            outbound.rules.into_iter().filter(|rule| matches!(rule.of, Match::To(_))).count()
        };
        assert_eq!([Family::Inet, Family::V4, Family::V6].map(subnets), [2, 1, 1]);
    }
}
