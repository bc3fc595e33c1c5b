//! `weft-proxy init`: the redirect rules of the network namespace we are in.
//!
//! In: flags. Out: rules in force, read back and verified; or, asked to, the rules in print. It ends before traffic
//! begins, and nothing of the corridor depends on it.

use anyhow::{anyhow, bail};
use kernel::redirect::{self, Change, PortRange, Rules, Subnet};

/// Flags of `weft-proxy init`.
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// Print the rules instead of installing them: as nft(8) writes them, or as input of iptables-restore and
    /// ip6tables-restore.
    #[arg(long, value_name = "SYNTAX", num_args = 0..=1, default_missing_value = "nft", require_equals = true)]
    dry_run: Option<Syntax>,
    /// Remove our rules.
    #[arg(long, conflicts_with_all = ["dry_run", "verify"])]
    remove: bool,
    /// Change nothing; fail unless exactly these rules are in force.
    #[arg(long, conflicts_with = "dry_run")]
    verify: bool,
    /// User the proxy runs as, whose connections pass.
    #[arg(long, default_value = "7717", value_name = "UID")]
    proxy_uid: u32,
    /// Mark on the proxy's sockets, which pass; instead of the user.
    #[arg(long, value_name = "MARK", value_parser = mark)]
    proxy_mark: Option<u32>,
    /// Where the proxy takes the app's calls.
    #[arg(long, default_value = "17001", value_name = "PORT")]
    outbound_port: u16,
    /// Where it takes calls to the app.
    #[arg(long, default_value = "17002", value_name = "PORT")]
    inbound_port: u16,
    /// Its admin port, which is reached directly.
    #[arg(long, default_value = "17003", value_name = "PORT")]
    admin_port: u16,
    /// Ports (80) and ranges (8000-8080) whose calls to the app pass, separated by commas.
    #[arg(long, value_name = "PORTS", default_value = "")]
    skip_inbound_ports: String,
    /// Ports and ranges that the app calls directly, separated by commas.
    #[arg(long, value_name = "PORTS", default_value = "")]
    skip_outbound_ports: String,
    /// Subnets (10.0.0.0/8) that the app calls directly, separated by commas.
    #[arg(long, value_name = "SUBNETS", default_value = "")]
    skip_subnets: String,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Syntax {
    Nft,
    Iptables,
    Ip6tables,
}

/// Does what the flags say.
///
/// # Errors
/// Every flag that cannot be used, or why the rules are not in force.
pub fn run(args: InitArgs) -> anyhow::Result<()> {
    let rules = rules(&args)?;
    match args.dry_run {
        Some(Syntax::Nft) => print!("{}", rules.nft()),
        Some(Syntax::Iptables) => print!("{}", rules.iptables().0),
        Some(Syntax::Ip6tables) => print!("{}", rules.iptables().1),
        None if args.remove => {
            redirect::remove()?;
            println!("the redirect rules are removed");
        }
        None if args.verify => {
            redirect::verify(&rules)?;
            println!("the redirect rules are in force");
        }
        None => match redirect::install(&rules)? {
            Change::Installed => println!("the redirect rules are installed and verified"),
            Change::None => println!("the redirect rules were in force already"),
        },
    }
    Ok(())
}

fn rules(args: &InitArgs) -> anyhow::Result<Rules> {
    let mut mistakes = Vec::new();
    let mut skip_inbound: Vec<PortRange> = list("--skip-inbound-ports", &args.skip_inbound_ports, &mut mistakes);
    let skip_outbound = list("--skip-outbound-ports", &args.skip_outbound_ports, &mut mistakes);
    let skip_subnets: Vec<Subnet> = list("--skip-subnets", &args.skip_subnets, &mut mistakes);
    if args.outbound_port == args.inbound_port {
        mistakes.push(format!("--outbound-port and --inbound-port are both {}", args.inbound_port));
    }
    if !mistakes.is_empty() {
        bail!("the flags cannot be used:\n  {}", mistakes.join("\n  "));
    }
    skip_inbound.push(PortRange { first: args.admin_port, last: args.admin_port });
    Ok(Rules {
        outbound_port: args.outbound_port,
        inbound_port: args.inbound_port,
        exempt_user: args.proxy_mark.is_none().then_some(args.proxy_uid),
        exempt_mark: args.proxy_mark,
        skip_inbound,
        skip_outbound,
        skip_subnets,
    })
}

fn list<T: std::str::FromStr<Err: std::fmt::Display>>(flag: &str, text: &str, mistakes: &mut Vec<String>) -> Vec<T> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let read = items.filter_map(|item| item.parse().map_err(|error| mistakes.push(format!("{flag}: {error}"))).ok());
    read.collect()
}

fn mark(text: &str) -> anyhow::Result<u32> {
    let parsed = text.strip_prefix("0x").map_or_else(|| text.parse(), |digits| u32::from_str_radix(digits, 16));
    parsed.ok().filter(|mark| *mark != 0).ok_or_else(|| anyhow!("not a number from 1 to 0xffffffff"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        init: InitArgs,
    }

    #[test]
    fn every_mistake_in_the_flags_is_reported_at_once() {
        let flags = ["init", "--skip-inbound-ports", "0,80,x", "--skip-subnets", "10.0.0.0/40"];
        let error = rules(&Program::parse_from(flags).init).unwrap_err().to_string();
        for wrong in ["`0`", "`x`", "`10.0.0.0/40`"] {
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn the_admin_port_is_always_reached_directly() {
        let rules = rules(&Program::parse_from(["init"]).init).unwrap();
        assert!(rules.nft().contains("tcp dport 17003 return"));
    }
}
