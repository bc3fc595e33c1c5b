//! `weft-proxy init`: the redirect rules of the network namespace we are in.
//!
//! In: flags. Out: rules in force, read back and verified; or, asked to, the rules in print. It ends before traffic
//! begins, and nothing of the corridor depends on it.

mod flags;

use kernel::redirect::{self, Change};

/// Flags of `weft-proxy init`. All are texts: they are read together, so that every mistake is told at once.
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
    /// User the proxy runs as, whose connections pass [default: 7717, or none if a mark is given].
    #[arg(long, value_name = "UID")]
    proxy_uid: Option<String>,
    /// Mark on the proxy's sockets, which pass: 1 to 0xffffffff.
    #[arg(long, value_name = "MARK")]
    proxy_mark: Option<String>,
    /// Where the proxy takes the app's calls.
    #[arg(long, default_value = "17001", value_name = "PORT")]
    outbound_port: String,
    /// Where it takes calls to the app.
    #[arg(long, default_value = "17002", value_name = "PORT")]
    inbound_port: String,
    /// Its admin port, which is reached directly.
    #[arg(long, default_value = "17003", value_name = "PORT")]
    admin_port: String,
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
    let rules = flags::rules(&args)?;
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
