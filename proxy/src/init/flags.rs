//! Flags to rules. Pure.

use std::{fmt::Display, str::FromStr};

use anyhow::bail;
use kernel::redirect::{PortRange, Rules, Subnet};

use super::InitArgs;

/// The user an injected proxy runs as.
const PROXY_USER: u32 = 7717;

/// The rules that `args` describe.
///
/// # Errors
/// Every mistake in the flags, a line each.
pub(super) fn rules(args: &InitArgs) -> anyhow::Result<Rules> {
    let mut form = Form::default();
    let outbound_port = form.port("--outbound-port", &args.outbound_port);
    let inbound_port = form.port("--inbound-port", &args.inbound_port);
    let admin_port = form.port("--admin-port", &args.admin_port);
    form.must_differ(&[("--outbound-port", outbound_port), ("--inbound-port", inbound_port), ("--admin-port", admin_port)]);
    let mark = args.proxy_mark.as_deref().map(|text| form.mark("--proxy-mark", text));
    let user = args.proxy_uid.as_deref().map(|text| form.user("--proxy-uid", text));
    let mut skip_inbound: Vec<PortRange> = form.list("--skip-inbound-ports", &args.skip_inbound_ports);
    let skip_outbound = form.list("--skip-outbound-ports", &args.skip_outbound_ports);
    let skip_subnets: Vec<Subnet> = form.list("--skip-subnets", &args.skip_subnets);
    form.finish()?;
    // The kubelet and Prometheus ask the proxy itself.
    skip_inbound.push(PortRange { first: admin_port, last: admin_port });
    Ok(Rules {
        outbound_port,
        inbound_port,
        exempt_user: user.or_else(|| mark.is_none().then_some(PROXY_USER)),
        exempt_mark: mark,
        skip_inbound,
        skip_outbound,
        skip_subnets,
    })
}

/// Reads texts, and remembers what was wrong with them. What it returns for a wrong one is never used.
#[derive(Debug, Default)]
struct Form {
    mistakes: Vec<String>,
}

impl Form {
    fn port(&mut self, flag: &str, text: &str) -> u16 {
        let port = text.parse().ok().filter(|port| *port > 0);
        port.unwrap_or_else(|| self.wrong(flag, format!("`{text}` is not a port (1 to 65535)")))
    }

    fn mark(&mut self, flag: &str, text: &str) -> u32 {
        let digits = text.strip_prefix("0x").map_or_else(|| text.parse(), |digits| u32::from_str_radix(digits, 16));
        // Nothing is marked with 0 by intention: it is what all others carry.
        let mark = digits.ok().filter(|mark| *mark > 0);
        mark.unwrap_or_else(|| self.wrong(flag, format!("`{text}` is not a mark (1 to 0xffffffff)")))
    }

    fn user(&mut self, flag: &str, text: &str) -> u32 {
        // The highest number is how Linux says "nobody".
        let user = text.parse().ok().filter(|user| *user < u32::MAX);
        user.unwrap_or_else(|| self.wrong(flag, format!("`{text}` is not a user's number (0 to 4294967294)")))
    }

    fn list<T: FromStr<Err: Display>>(&mut self, flag: &str, text: &str) -> Vec<T> {
        let mut read = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match item.parse() {
                Ok(item) => read.push(item),
                Err(error) => self.wrong(flag, format!("{error}")),
            }
        }
        read
    }

    fn must_differ(&mut self, ports: &[(&str, u16)]) {
        for (index, (flag, port)) in ports.iter().enumerate() {
            if let Some((other, _)) = ports[..index].iter().find(|(_, earlier)| *earlier == *port && *port > 0) {
                self.mistakes.push(format!("{other} and {flag} are both {port}"));
            }
        }
    }

    fn wrong<T: Default>(&mut self, flag: &str, what: String) -> T {
        self.mistakes.push(format!("{flag}: {what}"));
        T::default()
    }

    fn finish(self) -> anyhow::Result<()> {
        if self.mistakes.is_empty() {
            return Ok(());
        }
        bail!("the flags cannot be used:\n  {}", self.mistakes.join("\n  "))
    }
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

    fn read(flags: &[&str]) -> anyhow::Result<Rules> {
        rules(&Program::parse_from([&["init"], flags].concat()).init)
    }

    #[test]
    fn every_mistake_in_the_flags_is_reported_at_once() {
        let error = read(&[
            "--skip-inbound-ports=0,80,x",
            "--skip-outbound-ports=90-80",
            "--skip-subnets=10.0.0.0/40",
            "--outbound-port=70000",
            "--inbound-port=17003",
            "--proxy-uid=root",
            "--proxy-mark=0x0",
        ])
        .unwrap_err()
        .to_string();
        for wrong in ["`0`", "`x`", "`90-80`", "`10.0.0.0/40`", "`70000`", "are both 17003", "`root`", "`0x0`"] {
            assert!(error.contains(wrong), "{wrong} is missing: {error}");
        }
        assert_eq!(error.lines().count(), 1 + 8, "{error}");
    }

    #[test]
    fn without_flags_an_injected_proxy_is_expected() {
        let rules = read(&[]).unwrap();
        assert_eq!((rules.exempt_user, rules.exempt_mark), (Some(7717), None));
        assert_eq!((rules.outbound_port, rules.inbound_port), (17001, 17002));
        assert_eq!(rules.skip_inbound, ["17003".parse().unwrap()], "the admin port is reached directly");
    }

    #[test]
    fn the_proxy_is_told_by_its_mark_its_user_or_both() {
        let exempt = |flags: &[&str]| {
            let rules = read(flags).unwrap();
            (rules.exempt_user, rules.exempt_mark)
        };
        assert_eq!(exempt(&["--proxy-mark=0x77170000"]), (None, Some(0x7717_0000)));
        assert_eq!(exempt(&["--proxy-uid=1000"]), (Some(1000), None));
        assert_eq!(exempt(&["--proxy-uid=1000", "--proxy-mark=5"]), (Some(1000), Some(5)));
    }

    #[test]
    fn lists_may_have_spaces_and_ends() {
        let rules = read(&["--skip-outbound-ports=5432, 6000-6010,", "--skip-subnets= 10.0.0.0/8,fd00::/8"]).unwrap();
        assert_eq!(rules.skip_outbound, ["5432".parse().unwrap(), "6000-6010".parse().unwrap()]);
        assert_eq!(rules.skip_subnets, ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
    }
}
