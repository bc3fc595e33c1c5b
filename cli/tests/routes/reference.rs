//! What becomes of a request, as the Gateway API says it: slow, and plain enough to be held against its text.
//!
//! Source: `httproute_types.go` of the Gateway API, GEP-1426 for routes of services, and `docs/operating/routes.md` for what those
//! leave to implementations.

use std::cmp::{Ordering, Reverse};

use control::manifest::routes::{
    BackendReference, Filter, HeaderModifier, HttpRoute, Match, ParentReference, PathModifier, Redirect, Rule, ValueMatch,
};

use crate::{
    draw::expression,
    world::{ANSWER, Asked, Fate, Fields, Forwarded, SERVICES, Service, World, ordered},
};

/// What may become of a request, and with which weight.
pub fn fates(world: &World, asked: &Asked) -> Vec<(u32, Fate)> {
    let routes = in_force(world, asked);
    if routes.is_empty() {
        return vec![(1, plain(asked))];
    }
    let mut candidates: Vec<Candidate<'_>> = Vec::new();
    for (route, made) in routes {
        for (number, rule) in rules(route).into_iter().enumerate() {
            let holding = matches(&rule).into_iter().filter(|wanted| holds(wanted, asked));
            candidates.extend(holding.map(|wanted| Candidate { route, made, number, rule: rule.clone(), wanted }));
        }
    }
    candidates.sort_by(precedence);
    candidates.first().map_or(vec![(1, Fate::Refused(404))], |first| first.fates(world, asked))
}

/// "A request is for the routes of its sender's namespace if there are any for the service, and else for the producer's."
fn in_force<'a>(world: &'a World, asked: &Asked) -> Vec<(&'a HttpRoute, i64)> {
    let of = |namespace: &str| -> Vec<(&HttpRoute, i64)> {
        let of_namespace = world.routes.iter().filter(|(route, _)| self::namespace(route) == namespace);
        of_namespace
            .filter(|(route, _)| is_attached(&route.spec.parent_refs, namespace, asked))
            .map(|(route, made)| (route, *made))
            .collect()
    };
    let own = of(asked.namespace);
    if own.is_empty() { of(SERVICES[0].0) } else { own }
}

pub fn namespace(route: &HttpRoute) -> &str {
    route.metadata.namespace.as_deref().unwrap_or("default")
}

/// Whether a route with these parents, which was written in `namespace`, is about what is asked.
pub fn is_attached(parents: &[ParentReference], namespace: &str, asked: &Asked) -> bool {
    let (of, name, ports) = SERVICES[0];
    parents.iter().any(|parent| {
        let ParentReference { group, kind, namespace: named, name: wanted, section_name, port } = parent;
        let section = ports.iter().find(|(number, _)| *number == asked.port).map_or("", |(_, section)| section);
        group.as_deref() == Some("")
            && kind.as_deref() == Some("Service")
            && named.as_deref().unwrap_or(namespace) == of
            && wanted == name
            && port.is_none_or(|port| port == asked.port)
            && section_name.as_ref().is_none_or(|wanted| wanted == section)
    })
}

/// Without rules there is one, for all requests and without backends.
fn rules(route: &HttpRoute) -> Vec<Rule> {
    if route.spec.rules.is_empty() { vec![Rule::default()] } else { route.spec.rules.clone() }
}

/// Without matches there is one, for all requests. A rule one of whose matches means nothing is for no request.
fn matches(rule: &Rule) -> Vec<Match> {
    if rule.matches.is_empty() {
        return vec![Match::default()];
    }
    if rule.matches.iter().all(means_something) { rule.matches.clone() } else { Vec::new() }
}

pub fn means_something(wanted: &Match) -> bool {
    let known = |kind: &Option<String>, words: &[&str]| kind.as_deref().is_none_or(|kind| words.contains(&kind));
    let value = |value: &ValueMatch| known(&value.kind, &["Exact", "RegularExpression"]);
    wanted.path.as_ref().is_none_or(|path| known(&path.kind, &["Exact", "PathPrefix", "RegularExpression"]))
        && wanted.headers.iter().chain(&wanted.query_params).all(value)
}

/// All that is said must hold.
pub fn holds(wanted: &Match, asked: &Asked) -> bool {
    let (kind, path) = path_of(wanted);
    let path_holds = match kind {
        "Exact" => asked.path == path,
        "PathPrefix" => elements(asked.path).starts_with(&prefix_elements(path)),
        _ => expression(path, asked.path),
    };
    let header = |(name, wanted): &(String, ValueMatch)| header_of(asked, name).is_some_and(|value| value_holds(wanted, &value));
    let parameter =
        |(name, wanted): &(String, ValueMatch)| parameter_of(asked, name).is_some_and(|value| value_holds(wanted, &value));
    path_holds
        && wanted.method.as_ref().is_none_or(|method| method == asked.method)
        && headers(wanted).iter().all(header)
        && parameters(wanted).iter().all(parameter)
}

/// The type and the value of its path, with their defaults.
fn path_of(wanted: &Match) -> (&str, &str) {
    let said = wanted.path.as_ref();
    let kind = said.and_then(|path| path.kind.as_deref()).unwrap_or("PathPrefix");
    (kind, said.and_then(|path| path.value.as_deref()).unwrap_or("/"))
}

fn elements(path: &str) -> Vec<&str> {
    path.split('/').skip(1).collect()
}

/// "When specified, a trailing / is ignored."
fn prefix_elements(prefix: &str) -> Vec<&str> {
    elements(prefix.strip_suffix('/').unwrap_or(prefix))
}

/// "Only the first entry with an equivalent name MUST be considered." Names of header fields are equivalent in any case.
pub fn headers(wanted: &Match) -> Vec<(String, ValueMatch)> {
    firsts(wanted.headers.iter().map(|value| (value.name.to_lowercase(), value.clone())))
}

fn parameters(wanted: &Match) -> Vec<(String, ValueMatch)> {
    firsts(wanted.query_params.iter().map(|value| (value.name.clone(), value.clone())))
}

fn firsts<T>(all: impl Iterator<Item = (String, T)>) -> Vec<(String, T)> {
    let mut first: Vec<(String, T)> = Vec::new();
    for (name, value) in all {
        if !first.iter().any(|(known, _)| *known == name) {
            first.push((name, value));
        }
    }
    first
}

/// Several fields of one name are one, joined by commas (RFC 9110, 5.3). The host is one of them, wherever it is written.
fn header_of(asked: &Asked, name: &str) -> Option<String> {
    if name == "host" {
        return Some(asked.host.to_owned());
    }
    let values: Vec<&str> =
        asked.headers.iter().filter(|(known, _)| known.to_lowercase() == name).map(|(_, value)| value.as_str()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// "It is recommended that implementations should match against the first value of the param."
fn parameter_of(asked: &Asked, name: &str) -> Option<String> {
    let query = asked.query.as_ref()?;
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

fn value_holds(wanted: &ValueMatch, value: &str) -> bool {
    match wanted.kind.as_deref() {
        Some("RegularExpression") => expression(&wanted.value, value),
        _ => wanted.value == value,
    }
}

/// A match that holds, and where it stands.
pub struct Candidate<'a> {
    pub route: &'a HttpRoute,
    pub made: i64,
    /// Of the rule in its route.
    pub number: usize,
    pub rule: Rule,
    pub wanted: Match,
}

/// "Across all rules specified on applicable Routes, precedence must be given to the match having …"
fn precedence(one: &Candidate<'_>, other: &Candidate<'_>) -> Ordering {
    let kind = |candidate: &Candidate<'_>| match path_of(&candidate.wanted).0 {
        "Exact" => 0,
        "RegularExpression" => 1,
        _ => 2,
    };
    let characters = |candidate: &Candidate<'_>| {
        let (kind, path) = path_of(&candidate.wanted);
        let path = if kind == "PathPrefix" { path.strip_suffix('/').unwrap_or(path) } else { path };
        Reverse(path.len())
    };
    kind(one)
        .cmp(&kind(other))
        .then_with(|| characters(one).cmp(&characters(other)))
        .then_with(|| one.wanted.method.is_none().cmp(&other.wanted.method.is_none()))
        .then_with(|| headers(&other.wanted).len().cmp(&headers(&one.wanted).len()))
        .then_with(|| parameters(&other.wanted).len().cmp(&parameters(&one.wanted).len()))
        .then_with(|| seniority(one, other))
}

/// "If ties still exist across multiple Routes …"
pub fn seniority(one: &Candidate<'_>, other: &Candidate<'_>) -> Ordering {
    let name = |candidate: &Candidate<'_>| format!("{}/{}", namespace(candidate.route), candidate.route.metadata.name);
    one.made.cmp(&other.made).then_with(|| name(one).cmp(&name(other))).then_with(|| one.number.cmp(&other.number))
}

impl Candidate<'_> {
    /// What may become of a request that it is for.
    pub fn fates(&self, world: &World, asked: &Asked) -> Vec<(u32, Fate)> {
        if !self.can_be_done() {
            return vec![(1, Fate::Refused(500))];
        }
        if let Some(filter) = self.filter("RequestRedirect") {
            return vec![(1, self.redirected(&filter.request_redirect.clone().unwrap_or_default(), asked))];
        }
        let sharing = || self.rule.backend_refs.iter().filter(|backend| backend.weight != Some(0));
        if !sharing().any(|backend| cluster(world, self.route, backend).is_some()) {
            return vec![(1, Fate::Refused(500))];
        }
        sharing()
            .map(|backend| {
                let fate = cluster(world, self.route, backend)
                    .map_or(Fate::Refused(500), |cluster| Fate::Forwarded(self.forwarded(cluster, backend, asked)));
                (backend.weight.unwrap_or(1), fate)
            })
            .collect()
    }

    fn filter(&self, kind: &str) -> Option<&Filter> {
        self.rule.filters.iter().find(|filter| filter.kind == kind)
    }

    /// "If a reference to a custom filter type cannot be resolved, the filter MUST NOT be skipped. Instead, requests … MUST receive
    /// a HTTP error response." The prefix that was matched can be replaced only where one was.
    fn can_be_done(&self) -> bool {
        let all_prefixes = matches(&self.rule).iter().all(|wanted| path_of(wanted).0 == "PathPrefix");
        let replaces_prefix = |filter: &Filter| {
            let redirected = filter.request_redirect.as_ref().and_then(|redirect| redirect.path.as_ref());
            let rewritten = filter.url_rewrite.as_ref().and_then(|rewrite| rewrite.path.as_ref());
            redirected.or(rewritten).is_some_and(|path| path.kind == "ReplacePrefixMatch")
        };
        let is_known = |filter: &Filter| filter.kind != "ExtensionRef" && (all_prefixes || !replaces_prefix(filter));
        self.rule.filters.iter().all(is_known)
    }

    fn redirected(&self, redirect: &Redirect, asked: &Asked) -> Fate {
        let scheme = redirect.scheme.as_deref().unwrap_or("http");
        let usual = if scheme == "https" { 443 } else { 80 };
        let port = redirect.port.unwrap_or(if redirect.scheme.is_some() { usual } else { asked.port });
        let host = redirect.hostname.as_deref().unwrap_or(asked.host.split(':').next().unwrap_or_default());
        let port = if port == usual { String::new() } else { format!(":{port}") };
        let location = format!("{scheme}://{host}{port}{}", self.target(redirect.path.as_ref(), asked));
        let fields = self.changed("ResponseHeaderModifier", None, Vec::new());
        Fate::Redirected(redirect.status_code.unwrap_or(302), location, fields)
    }

    fn forwarded(&self, cluster: String, backend: &BackendReference, asked: &Asked) -> Forwarded {
        let rewrite = self.filter("URLRewrite").and_then(|filter| filter.url_rewrite.clone()).unwrap_or_default();
        let answer = ANSWER.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let timeouts = self.rule.timeouts.clone().unwrap_or_default();
        Forwarded {
            cluster,
            target: self.target(rewrite.path.as_ref(), asked),
            host: rewrite.hostname.unwrap_or(asked.host.to_owned()),
            headers: self.changed("RequestHeaderModifier", Some(backend), asked.headers.clone()),
            answer: self.changed("ResponseHeaderModifier", Some(backend), answer),
            timeouts: [timeouts.request, timeouts.backend_request].map(|time| time.and_then(|time| milliseconds(&time))),
        }
    }

    /// Header fields after the filters `kind`: of the backend, and then of the rule.
    fn changed(&self, kind: &str, backend: Option<&BackendReference>, mut fields: Fields) -> Fields {
        let of_backend = backend.iter().flat_map(|backend| &backend.filters);
        for filter in of_backend.chain(&self.rule.filters).filter(|filter| filter.kind == kind) {
            let said = filter.request_header_modifier.as_ref().or(filter.response_header_modifier.as_ref());
            fields = modified(said.cloned().unwrap_or_default(), fields);
        }
        ordered(fields.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect())
    }

    /// The path and the query of a request, once the path is changed.
    fn target(&self, path: Option<&PathModifier>, asked: &Asked) -> String {
        let path = match path {
            None => asked.path.to_owned(),
            Some(path) if path.kind == "ReplaceFullPath" => path.replace_full_path.clone().unwrap_or_default(),
            Some(path) => self.with_prefix(path.replace_prefix_match.as_deref().unwrap_or_default(), asked.path),
        };
        match &asked.query {
            Some(query) => format!("{path}?{query}"),
            None => path,
        }
    }

    /// As in the table of `ReplacePrefixMatch`: elements by elements, and what is left of a path is never nothing.
    fn with_prefix(&self, new: &str, path: &str) -> String {
        let matched = prefix_elements(path_of(&self.wanted).1).len();
        let rest: String = elements(path)[matched..].iter().map(|element| format!("/{element}")).collect();
        let path = format!("{}{rest}", new.strip_suffix('/').unwrap_or(new));
        if path.is_empty() { String::from("/") } else { path }
    }
}

/// "Name matching MUST be case-insensitive … the first entry with an equivalent name MUST be considered."
fn modified(said: HeaderModifier, mut fields: Fields) -> Fields {
    let named = |name: &str| (name.to_lowercase(), ());
    let HeaderModifier { set, add, remove } = said;
    let set = firsts(set.into_iter().map(|header| (header.name.to_lowercase(), header.value)));
    let add = firsts(add.into_iter().map(|header| (header.name.to_lowercase(), header.value)));
    let gone: Vec<(String, ())> = remove.iter().map(|name| named(name)).chain(set.iter().map(|(name, _)| named(name))).collect();
    fields.retain(|(name, _)| !gone.contains(&named(name)));
    fields.extend(set);
    fields.extend(add);
    fields
}

/// The cluster that a backend is; `None` when it is not there, or may not be named.
fn cluster(world: &World, route: &HttpRoute, backend: &BackendReference) -> Option<String> {
    let is_service =
        backend.group.as_deref().is_none_or(str::is_empty) && backend.kind.as_deref().is_none_or(|kind| kind == "Service");
    let of = backend.namespace.as_deref().unwrap_or(namespace(route));
    let is_there = |(namespace, name, ports): &Service| {
        *namespace == of && *name == backend.name && ports.iter().any(|(number, _)| Some(*number) == backend.port)
    };
    let may = of == namespace(route) || is_parent(route, of, &backend.name) || is_granted(world, route, of, &backend.name);
    let port = backend.port?;
    (is_service && may && SERVICES.iter().any(is_there)).then(|| format!("{}.{of}.svc.cluster.local:{port}", backend.name))
}

/// Whoever a route is for calls its parents anyway.
fn is_parent(route: &HttpRoute, of: &str, name: &str) -> bool {
    route.spec.parent_refs.iter().any(|parent| {
        let is_service = parent.group.as_deref() == Some("") && parent.kind.as_deref() == Some("Service");
        is_service && parent.namespace.as_deref().unwrap_or(namespace(route)) == of && parent.name == name
    })
}

fn is_granted(world: &World, route: &HttpRoute, of: &str, name: &str) -> bool {
    world.grants.iter().any(|grant| {
        let from = grant.spec.from.iter().any(|from| {
            from.group == "gateway.networking.k8s.io" && from.kind == "HTTPRoute" && from.namespace == namespace(route)
        });
        let to = grant
            .spec
            .to
            .iter()
            .any(|to| to.group.is_empty() && to.kind == "Service" && to.name.as_deref().is_none_or(|wanted| wanted == name));
        grant.metadata.namespace.as_deref() == Some(of) && from && to
    })
}

/// Nothing is said of the service: requests go to its own endpoints, as they are.
fn plain(asked: &Asked) -> Fate {
    let (namespace, name, _) = SERVICES[0];
    let candidate = Candidate {
        route: &HttpRoute { metadata: Default::default(), spec: Default::default() },
        made: 0,
        number: 0,
        rule: Rule::default(),
        wanted: Match::default(),
    };
    let cluster = format!("{name}.{namespace}.svc.cluster.local:{}", asked.port);
    Fate::Forwarded(candidate.forwarded(cluster, &BackendReference::default(), asked))
}

/// GEP-2257, as far as the generator writes it. Zero is no limit.
fn milliseconds(time: &str) -> Option<u64> {
    match time {
        "1s" => Some(1_000),
        "1m30s" => Some(90_000),
        "250ms" => Some(250),
        _ => None,
    }
}
