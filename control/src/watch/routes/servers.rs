//! Which servers a route is for, by the names by which TLS asks for them.

use super::Mistake;
use crate::index::routes::Servers;

/// Source: `Hostname` of the Gateway API.
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// The servers of `hostnames`, and what in them means nothing.
pub(super) fn read(hostnames: &[String]) -> (Servers, Vec<Mistake>) {
    let wrong = hostnames.iter().enumerate().filter(|(_, name)| !is_name(name.strip_prefix("*.").unwrap_or(name)));
    let mistakes: Vec<Mistake> = wrong
        .map(|(number, name)| {
            let what = format!("`{name}` is not the name of a server, as in cart.example or *.example");
            Mistake { field: format!("spec.hostnames[{number}]"), what }
        })
        .collect();
    let servers = match (hostnames, &mistakes[..]) {
        ([], _) => Servers::All,
        (_, []) => Servers::Named(hostnames.iter().map(|name| name.to_ascii_lowercase()).collect()),
        _ => Servers::Named(Vec::new()),
    };
    (servers, mistakes)
}

/// Whether it is a name of DNS, and no address.
fn is_name(text: &str) -> bool {
    let of_label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len()) && label.bytes().all(of_label) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= NAME_MAX && text.split('.').all(is_label) && text.parse::<std::net::IpAddr>().is_err()
}
