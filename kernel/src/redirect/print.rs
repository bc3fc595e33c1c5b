//! The rules for people to read, and for kernels without nf_tables.

use std::{fmt::Write, net::IpAddr};

use super::{
    rules::{Hook, PortRange, Rules},
    table::TABLE,
};

impl Rules {
    /// The rules as nft(8) writes them.
    pub fn nft(&self) -> String {
        let mut out = format!("table inet {TABLE} {{\n");
        for chain in self.chains() {
            let hook = match chain.hook {
                Hook::Prerouting => "prerouting",
                Hook::Output => "output",
            };
            // Writing to a string cannot fail.
            let _ = writeln!(out, "\tchain {} {{\n\t\ttype nat hook {hook} priority dstnat; policy accept;", chain.name);
            for rule in chain.rules {
                let _ = writeln!(out, "\t\t{}", rule.text);
            }
            out.push_str("\t}\n");
        }
        out.push_str("}\n");
        out
    }

    /// The same rules as input of `iptables-restore --noflush` (first) and `ip6tables-restore --noflush` (second), for
    /// kernels without nf_tables.
    pub fn iptables(&self) -> (String, String) {
        (self.legacy(|address| address.is_ipv4()), self.legacy(|address| address.is_ipv6()))
    }

    fn legacy(&self, ours: impl Fn(&IpAddr) -> bool) -> String {
        let mut lines = vec![
            String::from("*nat"),
            String::from(":WEFT_INBOUND - [0:0]"),
            String::from(":WEFT_OUTBOUND - [0:0]"),
            String::from("-A PREROUTING -p tcp -j WEFT_INBOUND"),
            String::from("-A OUTPUT -p tcp -j WEFT_OUTBOUND"),
            String::from("-A WEFT_INBOUND -i lo -j RETURN"),
        ];
        lines.extend(self.skip_inbound.iter().map(|range| skip_port("WEFT_INBOUND", range)));
        lines.push(format!("-A WEFT_INBOUND -p tcp -j REDIRECT --to-ports {}", self.inbound_port));
        lines.extend(self.exempt_user.map(|user| format!("-A WEFT_OUTBOUND -m owner --uid-owner {user} -j RETURN")));
        lines.extend(self.exempt_mark.map(|mark| format!("-A WEFT_OUTBOUND -m mark --mark {mark:#x} -j RETURN")));
        lines.push(String::from("-A WEFT_OUTBOUND -o lo -j RETURN"));
        let subnets = self.skip_subnets.iter().filter(|subnet| ours(&subnet.address));
        lines.extend(subnets.map(|subnet| format!("-A WEFT_OUTBOUND -d {subnet} -j RETURN")));
        lines.extend(self.skip_outbound.iter().map(|range| skip_port("WEFT_OUTBOUND", range)));
        lines.push(format!("-A WEFT_OUTBOUND -p tcp -j REDIRECT --to-ports {}", self.outbound_port));
        lines.push(String::from("COMMIT\n"));
        lines.join("\n")
    }
}

fn skip_port(chain: &str, range: &PortRange) -> String {
    format!("-A {chain} -p tcp --dport {}:{} -j RETURN", range.first, range.last)
}
