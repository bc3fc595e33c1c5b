//! Pages of which other origins may ask. Source: `HTTPCORSFilter` of the Gateway API.

use http::{HeaderName, Method};

use super::Mistake;
use crate::{
    index::routes::{Cors, ValueMatch},
    manifest::routes,
};

/// For how many seconds a browser need not ask again when nothing is said.
const MAX_AGE: u32 = 5;

/// What `said`, which stands at `field`, says; what of it means nothing is left out, and told.
pub(super) fn read(said: &routes::Cors, field: &str, mistakes: &mut Vec<Mistake>) -> Cors {
    let mut wrong = |name: &str, what: String| mistakes.push(Mistake { field: format!("{field}.{name}"), what });
    let mut origins = Vec::new();
    for origin in &said.allow_origins {
        match self::origin(origin) {
            Some(origin) => origins.push(origin),
            None => wrong("allowOrigins", format!("`{origin}` is not an origin, as in https://*.shop.example or *")),
        }
    }
    for (name, listed) in
        [("allowMethods", &said.allow_methods), ("allowHeaders", &said.allow_headers), ("exposeHeaders", &said.expose_headers)]
    {
        let is_method = |text: &str| Method::from_bytes(text.as_bytes()).is_ok();
        let is_name = |text: &str| HeaderName::from_bytes(text.as_bytes()).is_ok();
        let is_right = |text: &str| if name == "allowMethods" { is_method(text) } else { is_name(text) };
        for text in listed.iter().filter(|text| *text != "*" && !is_right(text)) {
            wrong(name, format!("`{text}` cannot be one"));
        }
    }
    Cors {
        origins,
        credentials: said.allow_credentials.unwrap_or(false),
        methods: listed(&said.allow_methods),
        headers: listed(&said.allow_headers),
        exposed: listed(&said.expose_headers),
        max_age: said.max_age.unwrap_or(MAX_AGE),
    }
}

/// An asterisk stands for all that might stand beside it.
fn listed(said: &[String]) -> Vec<String> {
    if said.iter().any(|one| one == "*") { vec![String::from("*")] } else { said.to_vec() }
}

/// An origin as browsers write it: in small letters, and without the port that goes without saying. An asterisk in its host stands for
/// one or more of whatever a host has.
fn origin(text: &str) -> Option<ValueMatch> {
    if text == "*" {
        return Some(ValueMatch::Exact(text.to_owned()));
    }
    let text = text.to_ascii_lowercase();
    let (scheme, rest) = text.split_once("://")?;
    let usual = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let rest = rest.strip_suffix(usual).unwrap_or(rest);
    let (host, port) = rest.rsplit_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte));
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    if !is_host || !is_port {
        return None;
    }
    let origin = format!("{scheme}://{rest}");
    Some(match host.contains('*') {
        true => ValueMatch::Regex(origin.replace('.', r"\.").replace('*', "[^:/]+")),
        false => ValueMatch::Exact(origin),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        for (text, expected) in [
            ("*", ValueMatch::Exact("*".into())),
            ("https://Shop.example:443", ValueMatch::Exact("https://shop.example".into())),
            ("http://shop.example:8080", ValueMatch::Exact("http://shop.example:8080".into())),
            ("https://*.shop.example", ValueMatch::Regex(r"https://[^:/]+\.shop\.example".into())),
            ("http://*:80", ValueMatch::Regex("http://[^:/]+".into())),
        ] {
            assert_eq!(origin(text), Some(expected), "{text}");
        }
        for wrong in
            ["", "shop.example", "ftp://shop.example", "https://", "https://a/b", "https://a:0", "https://a:b", "https://(a)"]
        {
            assert_eq!(origin(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_means_nothing_is_told() {
        let texts = |texts: &[&str]| -> Vec<String> { texts.iter().map(|text| (*text).to_owned()).collect() };
        let said = routes::Cors {
            allow_origins: texts(&["https://shop.example", "shop"]),
            allow_methods: texts(&["PUT", "A B"]),
            allow_headers: texts(&["x-a", "*"]),
            expose_headers: texts(&["a:b"]),
            ..routes::Cors::default()
        };
        let mut mistakes = Vec::new();
        let cors = read(&said, "f", &mut mistakes);
        assert_eq!((cors.origins.len(), cors.headers, cors.max_age, cors.credentials), (1, texts(&["*"]), 5, false));
        let fields: Vec<&str> = mistakes.iter().map(|mistake| mistake.field.as_str()).collect();
        assert_eq!(fields, ["f.allowOrigins", "f.allowMethods", "f.exposeHeaders"]);
    }
}
