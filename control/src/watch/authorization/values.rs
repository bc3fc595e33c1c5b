//! What single values mean.

use std::net::IpAddr;

use crate::index::authorizations::{Text, Tree, What, Who};

/// A condition, or what is wrong with the value.
pub(super) type Read<T> = Result<Tree<T>, String>;

/// `*` for all there are, and at one end of a text for any beginning or end.
enum Pattern<'a> {
    Present,
    Exact(&'a str),
    Prefix(&'a str),
    Suffix(&'a str),
}

fn pattern(value: &str) -> Result<Pattern<'_>, String> {
    let inside = |text: &str| text.contains('*');
    match (value.strip_prefix('*'), value.strip_suffix('*')) {
        _ if value.is_empty() => Err("an empty text means nothing".into()),
        _ if value == "*" => Ok(Pattern::Present),
        (Some(suffix), None) if !inside(suffix) => Ok(Pattern::Suffix(suffix)),
        (None, Some(prefix)) if !inside(prefix) => Ok(Pattern::Prefix(prefix)),
        (None, None) if !inside(value) => Ok(Pattern::Exact(value)),
        _ => Err(format!("`{value}`: `*` stands for all, or at one end of a text")),
    }
}

/// A text of which anything may be said.
fn text(value: &str) -> Result<Text, String> {
    Ok(match pattern(value)? {
        Pattern::Present => Text::Prefix(String::new()),
        Pattern::Exact(text) => Text::Exact(text.to_owned()),
        Pattern::Prefix(text) => Text::Prefix(text.to_owned()),
        Pattern::Suffix(text) => Text::Suffix(text.to_owned()),
    })
}

fn identity(wanted: Text) -> Tree<Who> {
    Tree::Is(Who::Identity(wanted))
}

/// An identity without its scheme.
pub(super) fn principal(value: &str) -> Read<Who> {
    if value.starts_with("spiffe://") {
        return Err(format!("`{value}`: identities are written without `spiffe://`"));
    }
    Ok(match pattern(value)? {
        Pattern::Present => Tree::Is(Who::Proved),
        Pattern::Exact(text) => identity(Text::Exact(format!("spiffe://{text}"))),
        Pattern::Prefix(text) => identity(Text::Prefix(format!("spiffe://{text}"))),
        Pattern::Suffix(text) => identity(Text::Suffix(text.to_owned())),
    })
}

/// A part of identities. None has a slash, so what stands beside them tells which part is meant.
fn part(value: &str, before: &str, after: &str) -> Read<Who> {
    if value.contains('/') {
        return Err(format!("`{value}` has a slash, and no such name does"));
    }
    Ok(match pattern(value)? {
        Pattern::Present => Tree::Is(Who::Proved),
        Pattern::Exact(text) => identity(Text::Contains(format!("{before}{text}{after}"))),
        Pattern::Prefix(text) => identity(Text::Contains(format!("{before}{text}"))),
        Pattern::Suffix(text) => identity(Text::Contains(format!("{text}{after}"))),
    })
}

pub(super) fn namespace(value: &str) -> Read<Who> {
    part(value, "/ns/", "/sa/")
}

pub(super) fn trust_domain(value: &str) -> Read<Who> {
    part(value, "spiffe://", "/ns/")
}

/// `NAMESPACE/NAME`, or `NAME` in `namespace`.
pub(super) fn service_account(value: &str, namespace: &str) -> Read<Who> {
    let (namespace, name) = value.split_once('/').unwrap_or((namespace, value));
    if [namespace, name].iter().any(|part| part.is_empty() || part.contains(['*', '/'])) {
        return Err(format!("`{value}` is no service account: expected NAMESPACE/NAME, or NAME"));
    }
    Ok(identity(Text::Suffix(format!("/ns/{namespace}/sa/{name}"))))
}

/// An address, or a block of them.
pub(super) fn block(value: &str) -> Read<Who> {
    let wrong = || format!("`{value}` is no address and no block of them (10.0.0.0/8)");
    let (address, bits) = value.split_once('/').map_or((value, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| wrong()))?;
    if bits > most {
        return Err(wrong());
    }
    Ok(Tree::Is(Who::Source(address, bits)))
}

pub(super) fn port(value: &str) -> Read<What> {
    match value.parse() {
        Ok(port) if port > 0 => Ok(Tree::Is(What::Port(port))),
        _ => Err(format!("`{value}` is no port: a number from 1 to 65535")),
    }
}

pub(super) fn method(value: &str) -> Read<What> {
    Ok(Tree::Is(What::Method(text(value)?)))
}

pub(super) fn host(value: &str) -> Read<What> {
    if value.contains([':', '/']) {
        return Err(format!("`{value}`: a host is written without a port, which `ports` are for"));
    }
    Ok(Tree::Is(What::Host(text(&value.to_ascii_lowercase())?)))
}

/// With `{*}` for a segment and `{**}` for anything, or as other texts.
pub(super) fn path(value: &str) -> Read<What> {
    if value.contains(['{', '}']) {
        return template(value);
    }
    let wanted = text(value)?;
    match &wanted {
        Text::Exact(path) | Text::Prefix(path) if !path.is_empty() && !path.starts_with('/') => {
            Err(format!("`{value}`: a path begins with a slash"))
        }
        _ => Ok(Tree::Is(What::Path(wanted))),
    }
}

fn template(value: &str) -> Read<What> {
    let is_odd = |segment: &&str| !matches!(*segment, "{*}" | "{**}") && segment.contains(['{', '}', '*']);
    let rests = value.split('/').filter(|segment| *segment == "{**}").count();
    if !value.starts_with('/') || value.split('/').any(|segment| is_odd(&segment)) || rests > 1 {
        let whole = "`{*}` is a whole segment, `{**}` any number of them, once, and no other `*` is beside them";
        return Err(format!("`{value}` is no template of paths: {whole}"));
    }
    Ok(Tree::Is(What::Template(value.replace("{**}", "**").replace("{*}", "*"))))
}

/// `SERVICE/METHOD`, or `SERVICE`.
pub(super) fn grpc(value: &str) -> Read<What> {
    let (service, method) = value.split_once('/').map_or((value, None), |(service, method)| (service, Some(method)));
    let is_name = |name: &str| !name.is_empty() && !name.contains(['*', '/', '{']);
    if !is_name(service) || !method.is_none_or(is_name) {
        return Err(format!("`{value}` is no call of gRPC: expected SERVICE/METHOD, or SERVICE"));
    }
    Ok(Tree::Is(What::Path(match method {
        Some(method) => Text::Exact(format!("/{service}/{method}")),
        None => Text::Prefix(format!("/{service}/")),
    })))
}

/// A value of the header field `name`.
pub(super) fn header(name: &str, value: &str) -> Read<What> {
    let wanted = match pattern(value)? {
        Pattern::Present => None,
        _ => Some(text(value)?),
    };
    Ok(Tree::Is(What::Header(name.to_owned(), wanted)))
}
