//! One rule: which requests, what is done to them, where they go.

use http::HeaderValue;

use super::{Mistake, cors, matches, session, time};
use crate::{
    index::{
        Key,
        routes::{
            Action, Backend, Cors, Forward, HeaderChanges, Match, Mirror, PathChange, PathMatch, Redirect, Reference, Retry,
            Rewrite, RouteKind, Rule,
        },
    },
    manifest::routes::{self, BackendReference, ConnectionRule, Filter, GrpcRule, Header, HeaderModifier, PathModifier},
};

/// A backend gets at most so many shares of the requests. Source: `BackendRef.weight`.
const WEIGHT_MAX: u32 = 1_000_000;

/// All of something, in millionths.
const WHOLE: u32 = 1_000_000;

/// Answers that a request may be tried again after. Source: `HTTPRouteRetryStatusCode`.
const RETRIED: std::ops::RangeInclusive<u16> = 400..=599;

/// Whoever is sent elsewhere is told so with one of these.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// What `said`, which stands at `field`, says in an `HTTPRoute` of `namespace`.
pub(super) fn http(namespace: &str, said: &routes::Rule, field: &str) -> (Rule, Vec<Mistake>) {
    let mut reading = Reading { kind: RouteKind::Http, namespace, mistakes: Vec::new() };
    let matches = reading.matches(&said.matches, field, matches::http);
    read(reading, matches, said, field)
}

/// The same in a `GRPCRoute`.
pub(super) fn grpc(namespace: &str, said: &GrpcRule, field: &str) -> (Rule, Vec<Mistake>) {
    let GrpcRule { name, matches, filters, backend_refs, session_persistence } = said.clone();
    let mut reading = Reading { kind: RouteKind::Grpc, namespace, mistakes: Vec::new() };
    let matches = reading.matches(&matches, field, matches::grpc);
    let said = routes::Rule { name, filters, backend_refs, session_persistence, ..Default::default() };
    read(reading, matches, &said, field)
}

/// The same in a route of whole connections, which cannot be told apart.
pub(super) fn connection(namespace: &str, said: &ConnectionRule, field: &str) -> (Rule, Vec<Mistake>) {
    let ConnectionRule { name, backend_refs } = said.clone();
    let reading = Reading { kind: RouteKind::Tcp, namespace, mistakes: Vec::new() };
    read(reading, vec![Match::all()], &routes::Rule { name, backend_refs, ..Default::default() }, field)
}

/// A rule for the requests of `matches`.
fn read(mut reading: Reading<'_>, matches: Vec<Match>, said: &routes::Rule, field: &str) -> (Rule, Vec<Mistake>) {
    let of_matches = reading.mistakes.len();
    let mut done = reading.filters(&said.filters, &format!("{field}.filters"), &matches);
    let backends = reading.backends(&said.backend_refs, &format!("{field}.backendRefs"));
    let timeouts = said.timeouts.clone().unwrap_or_default();
    let mut time = |name: &str, text: &Option<String>| {
        let text = text.as_ref()?;
        let time = time::read(text);
        if time.is_none() {
            reading.wrong(format!("{field}.timeouts.{name}"), format!("`{text}` is not a length of time, as in 10s or 1h30m"));
        }
        time
    };
    let (timeout, try_timeout) = (time("request", &timeouts.request), time("backendRequest", &timeouts.backend_request));
    let session = said.session_persistence.as_ref();
    let session = session.and_then(|said| session::read(said, &format!("{field}.sessionPersistence"), &mut reading.mistakes));
    let fails = reading.mistakes.len() > of_matches;
    // What is wrong with it costs other tries, and not the first.
    let retry = said.retry.as_ref().and_then(|said| reading.retry(said, &format!("{field}.retry")));
    let action = match done.redirect.take() {
        _ if fails => Action::Fail,
        Some(redirect) => Action::Redirect(redirect),
        None => {
            let Done { rewrite, mirrors, .. } = done;
            Action::Forward(Forward { backends, rewrite, mirrors, timeout, try_timeout, retry, session })
        }
    };
    let Reading { mistakes, .. } = reading;
    let rule = Rule {
        name: said.name.clone().unwrap_or_default(),
        matches,
        request: done.request,
        response: done.response,
        cors: done.cors,
        action,
        mistakes: mistakes.iter().map(Mistake::to_string).collect(),
    };
    (rule, mistakes)
}

/// How a match is read that stands at a field.
type ReadMatch<T> = fn(&T, &str, &mut Vec<Mistake>) -> Option<Match>;

struct Reading<'a> {
    kind: RouteKind,
    /// The route's own.
    namespace: &'a str,
    mistakes: Vec<Mistake>,
}

/// What filters do.
#[derive(Default)]
struct Done {
    request: HeaderChanges,
    response: HeaderChanges,
    cors: Option<Cors>,
    rewrite: Rewrite,
    redirect: Option<Redirect>,
    mirrors: Vec<Mirror>,
}

impl Reading<'_> {
    fn wrong(&mut self, field: String, what: impl Into<String>) {
        self.mistakes.push(Mistake { field, what: what.into() });
    }

    /// None when one of them means nothing: what the others leave over might be too much or too little.
    fn matches<T>(&mut self, said: &[T], field: &str, read: ReadMatch<T>) -> Vec<Match> {
        if said.is_empty() {
            return vec![Match::all()];
        }
        let mut all = Vec::new();
        for (number, said) in said.iter().enumerate() {
            all.push(read(said, &format!("{field}.matches[{number}]"), &mut self.mistakes));
        }
        all.into_iter().collect::<Option<_>>().unwrap_or_default()
    }

    fn filters(&mut self, said: &[Filter], field: &str, matches: &[Match]) -> Done {
        let mut done = Done::default();
        for (number, filter) in said.iter().enumerate() {
            let field = format!("{field}[{number}]");
            match filter.kind.as_str() {
                other @ ("CORS" | "RequestRedirect" | "URLRewrite") if self.kind == RouteKind::Grpc => {
                    self.wrong(format!("{field}.type"), format!("`{other}` is not for gRPC"));
                }
                "RequestHeaderModifier" => self.headers(&mut done.request, filter.request_header_modifier.as_ref(), &field),
                "ResponseHeaderModifier" => self.headers(&mut done.response, filter.response_header_modifier.as_ref(), &field),
                "CORS" => {
                    let said = filter.cors.clone().unwrap_or_default();
                    done.cors = Some(cors::read(&said, &format!("{field}.cors"), &mut self.mistakes));
                }
                "RequestMirror" => done.mirrors.extend(self.mirror(filter, &field)),
                "RequestRedirect" => done.redirect = self.redirect(filter, &field, matches),
                "URLRewrite" => done.rewrite = self.rewrite(filter, &field, matches),
                other => self.wrong(format!("{field}.type"), format!("`{other}` is not supported")),
            }
        }
        if done.redirect.is_some() && done.rewrite != Rewrite::default() {
            self.wrong(field.to_owned(), "RequestRedirect and URLRewrite exclude each other");
        }
        done
    }

    fn headers(&mut self, changes: &mut HeaderChanges, said: Option<&HeaderModifier>, field: &str) {
        let Some(HeaderModifier { set, add, remove }) = said else { return };
        changes.set.extend(self.header_fields(set, field));
        changes.add.extend(self.header_fields(add, field));
        changes.remove.extend(remove.iter().filter_map(|name| self.header_name(name, field)));
    }

    /// Of several with one name the first counts.
    fn header_fields(&mut self, said: &[Header], field: &str) -> Vec<(String, String)> {
        let mut read: Vec<(String, String)> = Vec::new();
        for Header { name, value } in said {
            if HeaderValue::from_str(value).is_err() {
                self.wrong(field.to_owned(), format!("`{value}` is not the value of a header field"));
            }
            let name = self.header_name(name, field).filter(|name| !read.iter().any(|(known, _)| known == name));
            read.extend(name.map(|name| (name, value.clone())));
        }
        read
    }

    fn header_name(&mut self, name: &str, field: &str) -> Option<String> {
        let read = match matches::header_name(name) {
            Ok(name) if name == "host" => Err(String::from("the host is for URLRewrite to change")),
            read => read,
        };
        read.map_err(|what| self.wrong(field.to_owned(), what)).ok()
    }

    fn mirror(&mut self, filter: &Filter, field: &str) -> Option<Mirror> {
        let said = filter.request_mirror.as_ref()?;
        let (part, of) = match (said.percent, said.fraction) {
            (Some(percent), _) => (percent, 100),
            (None, Some(fraction)) => (fraction.numerator, fraction.denominator.unwrap_or(100)),
            (None, None) => (1, 1),
        };
        if part > of || of == 0 {
            self.wrong(format!("{field}.requestMirror"), format!("{part} of {of} is not a part"));
            return None;
        }
        let millionths = u64::from(part) * u64::from(WHOLE) / u64::from(of);
        Some(Mirror { to: self.reference(&said.backend_ref), millionths: u32::try_from(millionths).unwrap_or(WHOLE) })
    }

    fn redirect(&mut self, filter: &Filter, field: &str, matches: &[Match]) -> Option<Redirect> {
        let said = filter.request_redirect.clone().unwrap_or_default();
        let field = format!("{field}.requestRedirect");
        if let Some(scheme) = said.scheme.as_ref().filter(|scheme| !["http", "https"].contains(&scheme.as_str())) {
            self.wrong(format!("{field}.scheme"), format!("`{scheme}` is not known: expected http or https"));
        }
        let status = said.status_code.unwrap_or(302);
        if !REDIRECTS.contains(&status) {
            self.wrong(format!("{field}.statusCode"), format!("{status} is no redirection"));
        }
        let path = self.path(said.path.as_ref(), &field, matches);
        Some(Redirect { scheme: said.scheme, host: said.hostname, port: said.port, path, status })
    }

    fn rewrite(&mut self, filter: &Filter, field: &str, matches: &[Match]) -> Rewrite {
        let said = filter.url_rewrite.clone().unwrap_or_default();
        let path = self.path(said.path.as_ref(), &format!("{field}.urlRewrite"), matches);
        Rewrite { host: said.hostname, path }
    }

    /// None when something of it means nothing.
    fn retry(&mut self, said: &routes::Retry, field: &str) -> Option<Retry> {
        let mistakes = self.mistakes.len();
        for code in said.codes.iter().filter(|code| !RETRIED.contains(code)) {
            self.wrong(format!("{field}.codes"), format!("{code} is not a status from 400 to 599"));
        }
        let backoff = said.backoff.as_ref().map(|text| (text, time::read(text)));
        if let Some((text, None)) = backoff {
            self.wrong(format!("{field}.backoff"), format!("`{text}` is not a length of time, as in 100ms or 1s"));
        }
        let backoff = backoff.and_then(|(_, time)| time);
        (self.mistakes.len() == mistakes).then(|| Retry { codes: said.codes.clone(), attempts: said.attempts, backoff })
    }

    /// Another path: in place of a prefix only where every match is one.
    fn path(&mut self, said: Option<&PathModifier>, field: &str, matches: &[Match]) -> Option<PathChange> {
        let said = said?;
        let rooted = |path: &str| if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        match said.kind.as_str() {
            "ReplaceFullPath" => Some(PathChange::Full(rooted(said.replace_full_path.as_deref().unwrap_or_default()))),
            "ReplacePrefixMatch" if matches.iter().all(|wanted| matches!(wanted.path, PathMatch::Prefix(_))) => {
                let new = rooted(said.replace_prefix_match.as_deref().unwrap_or_default());
                Some(PathChange::Prefix(new.trim_end_matches('/').to_owned()))
            }
            "ReplacePrefixMatch" => {
                self.wrong(format!("{field}.path"), "ReplacePrefixMatch needs matches of type PathPrefix");
                None
            }
            other => {
                self.wrong(format!("{field}.path.type"), format!("`{other}` is not supported"));
                None
            }
        }
    }

    fn backends(&mut self, said: &[BackendReference], field: &str) -> Vec<Backend> {
        let mut backends = Vec::new();
        for (number, backend) in said.iter().enumerate() {
            let field = format!("{field}[{number}]");
            let weight = backend.weight.unwrap_or(1);
            if weight > WEIGHT_MAX {
                self.wrong(format!("{field}.weight"), format!("{weight} is not a weight from 0 to {WEIGHT_MAX}"));
            }
            let Done { request, response, .. } = self.backend_filters(&backend.filters, &format!("{field}.filters"));
            backends.push(Backend { to: self.reference(backend), weight, request, response });
        }
        backends
    }

    /// Of single backends only header fields can be changed.
    fn backend_filters(&mut self, said: &[Filter], field: &str) -> Done {
        let known = ["RequestHeaderModifier", "ResponseHeaderModifier"];
        for (number, filter) in said.iter().enumerate().filter(|(_, filter)| !known.contains(&filter.kind.as_str())) {
            self.wrong(format!("{field}[{number}].type"), format!("`{}` is not supported for one backend", filter.kind));
        }
        let known: Vec<Filter> = said.iter().filter(|filter| known.contains(&filter.kind.as_str())).cloned().collect();
        self.filters(&known, field, &[])
    }

    fn reference(&self, said: &BackendReference) -> Reference {
        let BackendReference { group, kind, namespace, name, port, .. } = said;
        let (group, kind) = (group.as_deref().unwrap_or_default(), kind.as_deref().unwrap_or("Service"));
        let namespace = namespace.as_deref().unwrap_or(self.namespace).to_owned();
        match (group, kind) {
            ("", "Service") => Reference::Service(Key { namespace, name: name.clone() }, *port),
            ("", kind) => Reference::Other(format!("{kind} {namespace}/{name}")),
            (group, kind) => Reference::Other(format!("{kind}.{group} {namespace}/{name}")),
        }
    }
}
