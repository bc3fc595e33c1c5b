//! What the annotations of a pod say of its sidecar.

use std::{net::IpAddr, ops::RangeInclusive};

use serde_json::Value;

use crate::MESHED_ANNOTATION;

/// Where our annotations begin.
const PREFIX: &str = "weft.dev/";

/// Annotations that others of the mesh read.
const ELSEWHERE: [&str; 2] = [MESHED_ANNOTATION, "weft.dev/token-sha256"];

/// What a pod's owner has said of its sidecar; what was not said is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) skip_inbound_ports: Option<String>,
    pub(crate) skip_outbound_ports: Option<String>,
    pub(crate) skip_subnets: Option<String>,
    pub(crate) cpu_request: Option<String>,
    pub(crate) cpu_limit: Option<String>,
    pub(crate) memory_request: Option<String>,
    pub(crate) memory_limit: Option<String>,
    pub(crate) workers: Option<String>,
    pub(crate) log: Option<String>,
    pub(crate) access_log: Option<String>,
}

/// Reads one kind of value. Says what is wrong with another.
type Check = fn(&str) -> Result<(), String>;

/// Annotations that others of the mesh read, of which we know what is a mistake.
const CHECKED: [(&str, Check); 2] = [("weft.dev/default-policy", policy), ("weft.dev/opaque-ports", ports)];

/// Reads the annotations of `pod`.
///
/// # Errors
/// Every one of ours that is unknown or cannot be used.
pub(crate) fn read(pod: &Value) -> Result<Options, Vec<String>> {
    let mut options = Options::default();
    let mut places: [(&str, &mut Option<String>, Check); 10] = [
        ("skip-inbound-ports", &mut options.skip_inbound_ports, ports),
        ("skip-outbound-ports", &mut options.skip_outbound_ports, ports),
        ("skip-subnets", &mut options.skip_subnets, subnets),
        ("proxy-cpu-request", &mut options.cpu_request, quantity),
        ("proxy-cpu-limit", &mut options.cpu_limit, quantity),
        ("proxy-memory-request", &mut options.memory_request, quantity),
        ("proxy-memory-limit", &mut options.memory_limit, quantity),
        ("proxy-workers", &mut options.workers, workers),
        ("proxy-log", &mut options.log, anything),
        ("proxy-access-log", &mut options.access_log, flag),
    ];
    let mut mistakes = Vec::new();
    let annotations = pod["metadata"]["annotations"].as_object();
    for (name, value) in annotations.into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        if let Some((_, check)) = CHECKED.iter().find(|(known, _)| known == name) {
            mistakes.extend(check(text).err().map(|why| format!("annotation {name}: {why}")));
            continue;
        }
        let Some(ours) = name.strip_prefix(PREFIX).filter(|_| !ELSEWHERE.contains(&name.as_str())) else { continue };
        let Some((_, place, check)) = places.iter_mut().find(|(known, ..)| *known == ours) else {
            mistakes.push(format!("annotation {name}: there is none of that name (see docs/operating/injection.md)"));
            continue;
        };
        match check(text) {
            Ok(()) => **place = Some(text.to_owned()),
            Err(why) => mistakes.push(format!("annotation {name}: {why}")),
        }
    }
    if mistakes.is_empty() { Ok(options) } else { Err(mistakes) }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn ports(text: &str) -> Result<(), String> {
    let wrong = |item: &str| format!("`{item}` is neither a port nor a range of ports, as in `3306, 5432-5440`");
    items(text).try_for_each(|item| range(item).map(drop).ok_or_else(|| wrong(item)))
}

/// Whether a list of ports and ranges of them, which was checked, includes `port`.
pub(crate) fn includes(list: &str, port: u16) -> bool {
    items(list).filter_map(range).any(|range| range.contains(&port))
}

fn range(item: &str) -> Option<RangeInclusive<u16>> {
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    let (first, last) = item.split_once('-').unwrap_or((item, item));
    let range = port(first)?..=port(last)?;
    (!range.is_empty()).then_some(range)
}

fn subnets(text: &str) -> Result<(), String> {
    for item in items(text) {
        let (address, length) = item.split_once('/').unwrap_or((item, "0"));
        let longest = match address.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => 32,
            Ok(IpAddr::V6(_)) => 128,
            Err(_) => return Err(format!("`{item}` is not a subnet, as in `10.0.0.0/8`")),
        };
        if !length.parse::<u8>().is_ok_and(|length| length <= longest) {
            return Err(format!("`{item}` is not a subnet, as in `10.0.0.0/8`"));
        }
    }
    Ok(())
}

/// Whether `text` is an amount as Kubernetes writes it: `10m`, `0.5`, `64Mi`.
///
/// # Errors
/// It is not.
pub fn quantity(text: &str) -> Result<(), String> {
    const UNITS: [&str; 14] = ["", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let is_number = number.starts_with(|letter: char| letter.is_ascii_digit()) && number.parse::<f64>().is_ok();
    if is_number && UNITS.contains(&unit) { Ok(()) } else { Err(format!("`{text}` is not an amount, as in `100m` or `64Mi`")) }
}

fn workers(text: &str) -> Result<(), String> {
    match text.parse::<u16>() {
        Ok(1..=256) => Ok(()),
        _ => Err(format!("`{text}` is not a number from 1 to 256")),
    }
}

fn flag(text: &str) -> Result<(), String> {
    if ["true", "false"].contains(&text) { Ok(()) } else { Err(format!("`{text}` is neither `true` nor `false`")) }
}

/// Whether `text` is a default policy.
///
/// # Errors
/// It is not.
pub fn policy(text: &str) -> Result<(), String> {
    const POLICIES: [&str; 3] = ["allow-all", "allow-authenticated", "deny"];
    if POLICIES.contains(&text) { Ok(()) } else { Err(format!("`{text}` is not one of {}", POLICIES.join(", "))) }
}

fn anything(_: &str) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_mistake_is_reported_at_once() {
        let annotations = json!({
            "weft.dev/skip-inbound-ports": "0",
            "weft.dev/skip-outbound-ports": "90-80",
            "weft.dev/skip-subnets": "10.0.0.0/40",
            "weft.dev/proxy-cpu-request": "much",
            "weft.dev/proxy-workers": "0",
            "weft.dev/proxy-access-log": "yes",
            "weft.dev/default-policy": "denied",
            "weft.dev/opaque-ports": "mysql",
            "weft.dev/skip-inbuond-ports": "80",
            "example.com/anything": "?",
        });
        let mistakes = read(&json!({ "metadata": { "annotations": annotations } })).unwrap_err();
        assert_eq!(mistakes.len(), 9, "{mistakes:#?}");
    }

    #[test]
    fn a_list_includes_its_ports_and_those_of_its_ranges() {
        for (port, is_included) in [(3306, true), (5432, true), (5435, true), (5441, false), (1, false)] {
            assert_eq!(includes("3306, 5432-5440,", port), is_included, "{port}");
        }
        assert!(!includes("", 1));
    }

    #[test]
    fn what_is_said_is_taken() {
        let annotations = json!({ "weft.dev/skip-subnets": "10.0.0.0/8, fd00::/8", "weft.dev/proxy-memory-limit": "1.5Gi",
            "weft.dev/opaque-ports": "3306", "weft.dev/meshed": "true" });
        let options = read(&json!({ "metadata": { "annotations": annotations } })).unwrap();
        assert_eq!(options.skip_subnets.as_deref(), Some("10.0.0.0/8, fd00::/8"));
        assert_eq!(options.memory_limit.as_deref(), Some("1.5Gi"));
        assert_eq!(options.cpu_limit, None);
    }
}
