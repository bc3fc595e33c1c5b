//! What routes change of messages, read.

use std::{str::FromStr, sync::Arc};

use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
    uri::{Authority, PathAndQuery, Scheme},
};
use wire::envoy::{
    config::{
        core::v3::{HeaderValueOption, header_value_option::HeaderAppendAction},
        route::v3::{
            RedirectAction, RouteAction,
            redirect_action::{PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier},
        },
    },
    r#type::matcher::v3::RegexMatchAndSubstitute,
};

use super::regexes;
use crate::snapshot::{Changes, HeaderChanges, PathMatch, PathRewrite, Put, Redirect, Rewrite};

/// What tells where a message ends or goes. A route rewrites the host where it means to.
const OURS: [HeaderName; 7] = [CONNECTION, CONTENT_LENGTH, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// And what proxies of the mesh tell each other.
const HOP: &str = "weft-";

/// Changes of a request's headers and of its answer's; `None` when there are none.
pub(super) fn changes(request: Headers<'_>, response: Headers<'_>) -> Result<Option<Arc<Changes>>, String> {
    if [request, response].iter().all(|headers| headers.add.is_empty() && headers.remove.is_empty()) {
        return Ok(None);
    }
    Ok(Some(Arc::new(Changes { request: request.read()?, response: response.read()? })))
}

/// Changes of the headers of one message.
#[derive(Clone, Copy)]
pub(super) struct Headers<'a> {
    pub(super) add: &'a [HeaderValueOption],
    pub(super) remove: &'a [String],
}

impl Headers<'_> {
    fn read(self) -> Result<HeaderChanges, String> {
        let remove = self.remove.iter().map(|name| header(name)).collect::<Result<_, _>>()?;
        let put = self.add.iter().map(|option| {
            let put = match option.append_action() {
                HeaderAppendAction::AppendIfExistsOrAdd => Put::Beside,
                HeaderAppendAction::AddIfAbsent => Put::IfAbsent,
                HeaderAppendAction::OverwriteIfExistsOrAdd => Put::Instead,
                HeaderAppendAction::OverwriteIfExists => Put::IfPresent,
            };
            let pair = option.header.as_ref().ok_or("a header to add has no name")?;
            let value = literal(&pair.value).map_err(|why| format!("the value of {} {why}", pair.key))?;
            let value = HeaderValue::try_from(value).map_err(|_| format!("the value of {} cannot be sent", pair.key))?;
            Ok::<_, String>((put, header(&pair.key)?, value))
        });
        Ok(HeaderChanges { remove, put: put.collect::<Result<_, _>>()? })
    }
}

/// A value without commands: Envoy takes what stands between two percent signs for one, and `%%` for a percent sign.
fn literal(value: &str) -> Result<String, &'static str> {
    let mut written = String::new();
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        if letter == '%' && letters.next() != Some('%') {
            return Err("has a command, and commands are not carried out");
        }
        written.push(letter);
    }
    Ok(written)
}

fn header(name: &str) -> Result<HeaderName, String> {
    let header = HeaderName::from_str(name).map_err(|_| format!("{name:?} is not the name of a header"))?;
    if OURS.contains(&header) || header.as_str().starts_with(HOP) {
        return Err(format!("the header {name} is not for a route to change"));
    }
    Ok(header)
}

/// How requests that match `path` are written anew; `None` when they are not.
pub(super) fn rewrite(action: &RouteAction, path: Option<&PathMatch>) -> Result<Option<Arc<Rewrite>>, String> {
    let host = Some(action.host_rewrite_literal.as_str()).filter(|host| !host.is_empty());
    let host = host.map(|host| host.parse().map_err(|_| format!("{host:?} is not a host"))).transpose()?;
    let path = match (&action.regex_rewrite, action.prefix_rewrite.as_str()) {
        (Some(regex), "") => Some(regex_rewrite(regex)?),
        (None, "") => None,
        (None, with) => Some(prefix_rewrite(path, with)?),
        (Some(_), _) => return Err("it rewrites both a prefix and by a regular expression".into()),
    };
    Ok((host.is_some() || path.is_some()).then(|| Arc::new(Rewrite { host, path })))
}

/// Where clients go whose requests match `path`.
pub(super) fn redirect(action: &RedirectAction, path: Option<&PathMatch>) -> Result<Redirect, String> {
    let status = match action.response_code() {
        RedirectResponseCode::MovedPermanently => StatusCode::MOVED_PERMANENTLY,
        RedirectResponseCode::Found => StatusCode::FOUND,
        RedirectResponseCode::SeeOther => StatusCode::SEE_OTHER,
        RedirectResponseCode::TemporaryRedirect => StatusCode::TEMPORARY_REDIRECT,
        RedirectResponseCode::PermanentRedirect => StatusCode::PERMANENT_REDIRECT,
    };
    let scheme = action.scheme_rewrite_specifier.as_ref().map(|SchemeRewriteSpecifier::SchemeRedirect(scheme)| {
        let known = [Scheme::HTTP, Scheme::HTTPS].into_iter().find(|known| known.as_str() == scheme);
        known.ok_or_else(|| format!("the scheme {scheme:?} is neither http nor https"))
    });
    let host = Some(action.host_redirect.as_str()).filter(|host| !host.is_empty());
    if let Some(host) = host.filter(|host| Authority::from_str(host).map_or(true, |parsed| parsed.host() != *host)) {
        return Err(format!("{host:?} is not a host"));
    }
    let port = u16::try_from(action.port_redirect).map_err(|_| format!("{} is not a port", action.port_redirect))?;
    let path = match &action.path_rewrite_specifier {
        Some(PathRewriteSpecifier::PathRedirect(whole)) => Some(PathRewrite::Whole(sendable(whole)?.into())),
        Some(PathRewriteSpecifier::PrefixRewrite(with)) => Some(prefix_rewrite(path, with)?),
        None => None,
    };
    Ok(Redirect { status, scheme: scheme.transpose()?, host: host.map(Box::from), port: (port != 0).then_some(port), path })
}

/// `path` is what routes match; without it they match all.
fn prefix_rewrite(path: Option<&PathMatch>, with: &str) -> Result<PathRewrite, String> {
    let of = match path {
        None => "",
        Some(PathMatch::Exact(path)) => path,
        Some(PathMatch::Prefix(prefix)) => prefix.trim_end_matches('/'),
        Some(PathMatch::Elements(elements)) => elements,
        Some(PathMatch::Regex(_)) => return Err("it rewrites a prefix, and matches none".into()),
    };
    Ok(PathRewrite::Prefix { of: of.into(), with: sendable(with)?.into() })
}

fn regex_rewrite(rewrite: &RegexMatchAndSubstitute) -> Result<PathRewrite, String> {
    let pattern = rewrite.pattern.as_ref().ok_or("it rewrites by no regular expression")?;
    let pattern = regexes::part(&pattern.regex)?;
    Ok(PathRewrite::Regex { pattern, with: substitution(sendable(&rewrite.substitution)?)?.into_bytes().into() })
}

/// A substitution as RE2 writes it (`\1`), as `regex` does (`${1}`).
fn substitution(text: &str) -> Result<String, String> {
    let mut written = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '$' => written.push_str("$$"),
            '\\' => match letters.next() {
                Some(group) if group.is_ascii_digit() => written.push_str(&format!("${{{group}}}")),
                Some('\\') => written.push('\\'),
                _ => return Err(format!("{text:?} cannot be used as a substitution")),
            },
            letter => written.push(letter),
        }
    }
    Ok(written)
}

/// A piece of a path, if a path can have it.
fn sendable(text: &str) -> Result<&str, String> {
    if text.contains('#') || PathAndQuery::try_from(format!("/{text}")).is_err() {
        return Err(format!("{text:?} cannot be part of a path"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use wire::envoy::config::core::v3::HeaderValue as Pair;

    use super::*;

    fn option(name: &str, action: HeaderAppendAction) -> HeaderValueOption {
        let header = Some(Pair { key: name.into(), value: "1".into() });
        HeaderValueOption { header, append_action: action.into() }
    }

    fn headers<'a>(add: &'a [HeaderValueOption], remove: &'a [String]) -> Headers<'a> {
        Headers { add, remove }
    }

    #[test]
    fn every_way_to_put_a_header_is_known() {
        let actions = [
            (HeaderAppendAction::AppendIfExistsOrAdd, Put::Beside),
            (HeaderAppendAction::AddIfAbsent, Put::IfAbsent),
            (HeaderAppendAction::OverwriteIfExistsOrAdd, Put::Instead),
            (HeaderAppendAction::OverwriteIfExists, Put::IfPresent),
        ];
        let add = actions.map(|(action, _)| option("X-A", action));
        let gone = ["X-B".to_owned()];
        let changes = changes(headers(&add, &[]), headers(&[], &gone)).unwrap().unwrap();
        let puts: Vec<_> = changes.request.put.iter().map(|(put, ..)| *put).collect();
        assert_eq!(puts, actions.map(|(_, put)| put));
        assert_eq!(changes.response.remove, ["x-b"]);
    }

    #[test]
    fn a_percent_sign_is_written_twice_and_commands_are_not_known() {
        assert_eq!(literal("100%% of %%").as_deref(), Ok("100% of %"));
        for command in ["%REQ(x)%", "50%", "%"] {
            assert!(literal(command).is_err(), "{command}");
        }
    }

    #[test]
    fn nothing_to_change_is_nothing() {
        assert!(changes(headers(&[], &[]), headers(&[], &[])).unwrap().is_none());
        assert!(rewrite(&RouteAction::default(), None).unwrap().is_none());
    }

    #[test]
    fn what_frames_a_message_is_not_for_a_route_to_change() {
        for name in ["Host", "content-length", "Transfer-Encoding", "weft-client-id", ":authority", "a b"] {
            let add = [option(name, HeaderAppendAction::OverwriteIfExistsOrAdd)];
            assert!(changes(headers(&add, &[]), headers(&[], &[])).is_err(), "{name}");
            assert!(changes(headers(&[], &[]), headers(&[], &[name.to_owned()])).is_err(), "{name}");
        }
    }

    #[test]
    fn a_substitution_is_read_as_re2_writes_it() {
        assert_eq!(substitution(r"/v2/\1/$x\\").unwrap(), r"/v2/${1}/$$x\");
        assert!(substitution(r"/\x").is_err());
        assert!(substitution("\\").is_err());
    }

    #[test]
    fn a_prefix_is_rewritten_where_one_is_matched() {
        let action = RouteAction { prefix_rewrite: "/x".into(), ..Default::default() };
        let of = |path: Option<&PathMatch>| match rewrite(&action, path).unwrap().unwrap().path.as_ref() {
            Some(PathRewrite::Prefix { of, .. }) => of.to_string(),
            other => panic!("{other:?} rewrites no prefix"),
        };
        assert_eq!(of(None), "");
        assert_eq!(of(Some(&PathMatch::Prefix("/a/".into()))), "/a");
        assert_eq!(of(Some(&PathMatch::Elements("/a".into()))), "/a");
        assert_eq!(of(Some(&PathMatch::Exact("/a/".into()))), "/a/");
        assert!(rewrite(&action, Some(&PathMatch::Regex(regexes::whole("/a").unwrap()))).is_err());
    }

    #[test]
    fn what_no_path_can_have_is_not_written_into_one() {
        for with in ["/a b", "/a#b", "/\n"] {
            assert!(prefix_rewrite(None, with).is_err(), "{with:?}");
        }
        let host = RouteAction { host_rewrite_literal: "a b".into(), ..Default::default() };
        assert!(rewrite(&host, None).is_err());
    }

    #[test]
    fn a_redirect_is_read_in_all_its_parts() {
        let action = RedirectAction {
            host_redirect: "v2.shop".into(),
            response_code: RedirectResponseCode::PermanentRedirect.into(),
            port_redirect: 8443,
            path_rewrite_specifier: Some(PathRewriteSpecifier::PathRedirect("/x".into())),
            scheme_rewrite_specifier: Some(SchemeRewriteSpecifier::SchemeRedirect("https".into())),
        };
        let read = redirect(&action, None).unwrap();
        assert_eq!(read.status, StatusCode::PERMANENT_REDIRECT);
        assert_eq!((read.scheme, read.host.as_deref(), read.port), (Some(Scheme::HTTPS), Some("v2.shop"), Some(8443)));
        assert!(matches!(read.path, Some(PathRewrite::Whole(path)) if &*path == "/x"));
        let read = redirect(&RedirectAction::default(), None).unwrap();
        assert_eq!(read.status, StatusCode::MOVED_PERMANENTLY);
        assert!(read.scheme.is_none() && read.host.is_none() && read.port.is_none() && read.path.is_none());
        for wrong in [
            RedirectAction { host_redirect: "v2:80".into(), ..action.clone() },
            RedirectAction { port_redirect: 70_000, ..action.clone() },
            RedirectAction {
                scheme_rewrite_specifier: Some(SchemeRewriteSpecifier::SchemeRedirect("ftp".into())),
                ..action.clone()
            },
        ] {
            assert!(redirect(&wrong, None).is_err(), "{wrong:?}");
        }
    }
}
