//! The rules for people to read, and for kernels without nf_tables. Pure.

use std::{fmt, net::IpAddr};

use super::{
    force::TABLE,
    rules::{Action, Family, Hook, Match, PRIORITY, Rule, Rules},
};

impl Rules {
    /// The rules as nft(8) writes them. Fed to it, they replace earlier ones and do what installing them does; but it puts
    /// some of them in other words to the kernel, which [`verify`](super::verify) does not take for ours.
    pub fn nft(&self) -> String {
        let mut out = format!("table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n");
        for chain in self.chains(Family::Inet) {
            out += &format!("\tchain {} {{\n\t\ttype nat hook {} priority {PRIORITY}; policy accept;\n", chain.name, chain.hook);
            for rule in chain.rules {
                out += &format!("\t\t{rule}\n");
            }
            out += "\t}\n";
        }
        out + "}\n"
    }

    /// The same rules as input of `iptables-restore --noflush` (first) and `ip6tables-restore --noflush` (second), for
    /// kernels without nf_tables. Fed a second time they are there twice, which changes nothing: the first copy decides.
    pub fn iptables(&self) -> (String, String) {
        (self.legacy(Family::V4), self.legacy(Family::V6))
    }

    fn legacy(&self, family: Family) -> String {
        let chains = self.chains(family);
        let mut out = String::from("*nat\n");
        for chain in &chains {
            // Naming a chain of one's own empties it.
            out += &format!(":{} - [0:0]\n", legacy_name(chain.hook));
        }
        for chain in &chains {
            out += &format!("-A {} -p tcp -j {}\n", chain.hook.to_string().to_uppercase(), legacy_name(chain.hook));
        }
        for chain in &chains {
            for rule in &chain.rules {
                out += &format!("-A {} {}\n", legacy_name(chain.hook), legacy(rule));
            }
        }
        out + "COMMIT\n"
    }
}

impl fmt::Display for Rule {
    /// As nft(8) writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.of {
            Match::FromLoopback => write!(f, "iif \"lo\"")?,
            Match::ToLoopback => write!(f, "oif \"lo\"")?,
            Match::User(user) => write!(f, "meta skuid {user}")?,
            Match::Mark(mark) => write!(f, "meta mark {mark:#010x}")?,
            Match::To(subnet) => {
                let family = if subnet.address.is_ipv4() { Family::V4 } else { Family::V6 };
                write!(f, "{} daddr {}/{}", family.word(), network(subnet), subnet.prefix)?;
            }
            Match::Ports(range) => write!(f, "tcp dport {range}")?,
            Match::Tcp => write!(f, "meta l4proto tcp")?,
        }
        match self.then {
            Action::Pass => write!(f, " return"),
            Action::Redirect(port) => write!(f, " redirect to :{port}"),
        }
    }
}

fn legacy_name(hook: Hook) -> &'static str {
    match hook {
        Hook::Prerouting => "WEFT_INBOUND",
        Hook::Output => "WEFT_OUTBOUND",
    }
}

fn legacy(rule: &Rule) -> String {
    let of = match &rule.of {
        Match::FromLoopback => String::from("-i lo"),
        Match::ToLoopback => String::from("-o lo"),
        Match::User(user) => format!("-m owner --uid-owner {user}"),
        Match::Mark(mark) => format!("-m mark --mark {mark:#x}"),
        Match::To(subnet) => format!("-d {}/{}", network(subnet), subnet.prefix),
        Match::Ports(range) => format!("-p tcp --dport {}:{}", range.first, range.last),
        Match::Tcp => String::from("-p tcp"),
    };
    match rule.then {
        Action::Pass => format!("{of} -j RETURN"),
        Action::Redirect(port) => format!("{of} -j REDIRECT --to-ports {port}"),
    }
}

/// The subnet's first address, which is how both programs write it.
fn network(subnet: &super::scope::Subnet) -> IpAddr {
    let (octets, _) = subnet.masked();
    match subnet.address {
        IpAddr::V4(_) => <[u8; 4]>::try_from(octets).map_or(subnet.address, IpAddr::from),
        IpAddr::V6(_) => <[u8; 16]>::try_from(octets).map_or(subnet.address, IpAddr::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            outbound_port: 17001,
            inbound_port: 17002,
            exempt_user: Some(7717),
            exempt_mark: Some(0x7717_0000),
            skip_inbound: vec!["17003".parse().unwrap()],
            skip_outbound: vec!["6000-6010".parse().unwrap()],
            skip_subnets: vec!["10.1.2.3/8".parse().unwrap(), "fd77::1/64".parse().unwrap()],
        }
    }

    #[test]
    fn the_rules_read_as_nft_would_list_them() {
        let expected = r#"table inet weft
delete table inet weft
table inet weft {
	chain inbound {
		type nat hook prerouting priority -100; policy accept;
		iif "lo" return
		tcp dport 17002 return
		tcp dport 17003 return
		meta l4proto tcp redirect to :17002
	}
	chain outbound {
		type nat hook output priority -100; policy accept;
		meta skuid 7717 return
		meta mark 0x77170000 return
		oif "lo" return
		ip daddr 10.0.0.0/8 return
		ip6 daddr fd77::/64 return
		tcp dport 6000-6010 return
		meta l4proto tcp redirect to :17001
	}
}
"#;
        assert_eq!(rules().nft(), expected);
    }

    #[test]
    fn iptables_is_told_the_same_for_each_family() {
        let (v4, v6) = rules().iptables();
        let expected = "*nat
:WEFT_INBOUND - [0:0]
:WEFT_OUTBOUND - [0:0]
-A PREROUTING -p tcp -j WEFT_INBOUND
-A OUTPUT -p tcp -j WEFT_OUTBOUND
-A WEFT_INBOUND -i lo -j RETURN
-A WEFT_INBOUND -p tcp --dport 17002:17002 -j RETURN
-A WEFT_INBOUND -p tcp --dport 17003:17003 -j RETURN
-A WEFT_INBOUND -p tcp -j REDIRECT --to-ports 17002
-A WEFT_OUTBOUND -m owner --uid-owner 7717 -j RETURN
-A WEFT_OUTBOUND -m mark --mark 0x77170000 -j RETURN
-A WEFT_OUTBOUND -o lo -j RETURN
-A WEFT_OUTBOUND -d 10.0.0.0/8 -j RETURN
-A WEFT_OUTBOUND -p tcp --dport 6000:6010 -j RETURN
-A WEFT_OUTBOUND -p tcp -j REDIRECT --to-ports 17001
COMMIT
";
        assert_eq!(v4, expected);
        assert_eq!(v6, expected.replace("10.0.0.0/8", "fd77::/64"));
    }
}
