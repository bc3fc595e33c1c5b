//! What to do when the kernel refuses. Pure.

use std::io;

use rustix::io::Errno;

use super::difference::Difference;
use crate::netlink::Refusal;

/// Why rules are not in force.
#[derive(Debug, thiserror::Error)]
pub enum RedirectError {
    /// CAP_NET_ADMIN is missing.
    #[error(
        "redirect rules need the capability NET_ADMIN over this network namespace (in a pod: securityContext.capabilities.add of the init container)"
    )]
    NotAllowed,
    /// The kernel has no nf_tables.
    #[error(
        "this kernel has no nf_tables ({0}): load the module nf_tables, or feed `weft-proxy init --dry-run=iptables` to `iptables-restore --noflush`, and ip6tables alike"
    )]
    NoNfTables(io::Error),
    /// It has nf_tables, and lacks a part of it.
    #[error("nf_tables of this kernel has no {missing} ({error}): load the module {module}, or use a kernel built with {option}")]
    NoTranslation {
        /// What it lacks.
        missing: String,
        /// The module that has it.
        module: &'static str,
        /// How the kernel's configuration calls it.
        option: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// Anything else the kernel said.
    #[error("the kernel refuses {what}: {error}")]
    Kernel {
        /// What it was asked for.
        what: String,
        /// What it said.
        error: io::Error,
    },
    /// What is in force is not what was asked for.
    #[error("the redirect rules in force are not as they should be: {0}")]
    Differ(Difference),
}

// By hand: with `#[from]` the difference would be a source besides, and be told twice.
impl From<Difference> for RedirectError {
    fn from(difference: Difference) -> Self {
        Self::Differ(difference)
    }
}

/// What the kernel is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// To hear us, to tell what there is, to begin or end a transaction.
    Talk,
    /// A table of this family.
    Table(&'static str),
    /// A chain of this name.
    Chain(&'static str),
    /// A rule that leaves its chain, as nft(8) writes it.
    Rule(String),
    /// A rule that redirects.
    Redirect(String),
}

/// Tells why `step` was refused, and what helps.
pub(super) fn explain(refusal: Refusal, step: &Step) -> RedirectError {
    match refusal.errno {
        Errno::PERM | Errno::ACCESS => RedirectError::NotAllowed,
        // How kernels say that they lack a part: with no such socket, family, chain type or expression.
        Errno::OPNOTSUPP | Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT | Errno::NOENT | Errno::NOSYS => {
            lacking(refusal.into(), step)
        }
        _ => RedirectError::Kernel { what: described(step), error: refusal.into() },
    }
}

fn lacking(error: io::Error, step: &Step) -> RedirectError {
    let (module, option) = match step {
        Step::Talk => return RedirectError::NoNfTables(error),
        Step::Table(_) => ("nf_tables", "NF_TABLES_INET, NF_TABLES_IPV4 and NF_TABLES_IPV6"),
        Step::Chain(_) => ("nft_chain_nat", "NFT_NAT (Linux 5.2 or later for tables of both families)"),
        Step::Rule(_) => ("nf_tables", "NF_TABLES"),
        Step::Redirect(_) => ("nft_redir", "NFT_REDIR"),
    };
    let missing = match step {
        Step::Chain(_) => String::from("chains that translate addresses"),
        Step::Redirect(_) => String::from("redirection"),
        _ => described(step),
    };
    RedirectError::NoTranslation { missing, module, option, error }
}

fn described(step: &Step) -> String {
    match step {
        Step::Talk => String::from("to talk about nf_tables"),
        Step::Table(family) => format!("tables of the family {family}"),
        Step::Chain(name) => format!("the chain {name}"),
        Step::Rule(text) | Step::Redirect(text) => format!("the rule `{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(errno: Errno, step: Step) -> String {
        explain(errno.into(), &step).to_string()
    }

    #[test]
    fn a_missing_power_is_told_whatever_was_asked_for() {
        for step in [Step::Talk, Step::Table("inet"), Step::Chain("inbound"), Step::Rule(String::new())] {
            assert!(explained(Errno::PERM, step).contains("NET_ADMIN"));
        }
    }

    #[test]
    fn each_missing_part_of_the_kernel_is_named_with_what_helps() {
        let no_nftables = explained(Errno::PROTONOSUPPORT, Step::Talk);
        assert!(no_nftables.contains("no nf_tables") && no_nftables.contains("iptables-restore"), "{no_nftables}");
        let no_nat = explained(Errno::NOENT, Step::Chain("inbound"));
        assert!(no_nat.contains("translate addresses") && no_nat.contains("nft_chain_nat"), "{no_nat}");
        let no_redirect = explained(Errno::NOENT, Step::Redirect(String::from("meta l4proto tcp redirect to :1")));
        assert!(no_redirect.contains("no redirection") && no_redirect.contains("NFT_REDIR"), "{no_redirect}");
    }

    #[test]
    fn nothing_is_told_twice() {
        let error = RedirectError::from(Difference::NoTable { family: "inet" });
        assert!(std::error::Error::source(&error).is_none());
    }

    #[test]
    fn any_other_refusal_names_the_rule_and_quotes_the_kernel() {
        let refusal = Refusal { sequence: 4, errno: Errno::INVAL, text: Some(String::from("bad register")) };
        let error = explain(refusal, &Step::Rule(String::from("iif \"lo\" return"))).to_string();
        assert!(error.contains("the rule `iif \"lo\" return`") && error.contains("bad register"), "{error}");
    }
}
