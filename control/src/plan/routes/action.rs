//! What becomes of the requests of a rule.

use wire::{
    envoy::{
        config::{
            core::v3::{HeaderValue, HeaderValueOption, RuntimeFractionalPercent, header_value_option::HeaderAppendAction},
            route::v3::{
                DirectResponseAction, RedirectAction, RouteAction, WeightedCluster,
                redirect_action::{PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier},
                route,
                route_action::{ClusterNotFoundResponseCode, ClusterSpecifier, HashPolicy, RequestMirrorPolicy},
                weighted_cluster::ClusterWeight,
            },
        },
        r#type::{
            matcher::v3::{RegexMatchAndSubstitute, RegexMatcher},
            v3::{FractionalPercent, fractional_percent::DenominatorType},
        },
    },
    names,
};

use super::{
    super::{balancing, target::Target},
    backends, retries,
};
use crate::index::{
    Index, Service, ServicePort,
    routes::{
        Action, Backend, Forward, HeaderChanges, Match, Mirror, PathChange, PathMatch, Redirect, Reference, Rewrite, Route,
        RouteKind, Rule, Session,
    },
    traffic::Said,
};

/// All of something, in millionths.
const WHOLE: u32 = 1_000_000;

/// The port that goes without saying where plaintext is spoken.
const HTTP_PORT: u16 = 80;

/// Compiles the rules of requests to one port of a service.
pub(super) struct Compiler<'a> {
    pub(super) index: &'a Index,
    pub(super) service: &'a Service,
    pub(super) port: &'a ServicePort,
}

impl Compiler<'_> {
    /// What becomes of the requests of `wanted`, of `rule`, of `route`.
    pub(super) fn action(&self, route: &Route, rule: &Rule, wanted: &Match, said: &Said) -> route::Action {
        match &rule.action {
            Action::Forward(forward) => self.forward(route, forward, wanted, said),
            Action::Redirect(redirect) => route::Action::Redirect(self.redirect(redirect, wanted)),
            Action::Fail => answer(500),
        }
    }

    /// What traffic policies say of `rule`, of `route`.
    pub(super) fn said(&self, route: &Route, rule: &Rule) -> Said {
        self.index.traffic_of_rule(self.service, self.port, &route.id(), &rule.name)
    }

    fn forward(&self, route: &Route, forward: &Forward, wanted: &Match, said: &Said) -> route::Action {
        let Forward { backends, rewrite: Rewrite { host, path }, mirrors, session, .. } = forward;
        let Some(to) = self.destination(route, backends, session.is_some()) else { return answer(500) };
        let mut action = RouteAction {
            cluster_specifier: Some(to),
            host_rewrite_literal: host.clone().unwrap_or_default(),
            cluster_not_found_response_code: nobodys_answer(route.kind).into(),
            request_mirror_policies: mirrors.iter().filter_map(|mirror| self.mirror(route, mirror)).collect(),
            hash_policy: self.hash_policy(route, backends),
            ..Default::default()
        };
        retries::say(&mut action, forward, said);
        match path {
            Some(PathChange::Full(path)) => action.regex_rewrite = Some(whole_path(path)),
            Some(PathChange::Prefix(new)) => action.prefix_rewrite = new_prefix(new, wanted),
            None => {}
        }
        route::Action::Route(action)
    }

    /// Who gets the requests; `None` when nobody does. Where clients stay with an endpoint they do so when its weight becomes
    /// nothing, too.
    fn destination(&self, route: &Route, backends: &[Backend], stay: bool) -> Option<ClusterSpecifier> {
        if backends.iter().all(|backend| backend.weight == 0) {
            return None;
        }
        let shares = backends.iter().filter(|backend| backend.weight > 0 || stay);
        let shares: Vec<_> = shares.map(|backend| (self.cluster(route, &backend.to), backend)).collect();
        if let [(Some(cluster), backend)] = &shares[..]
            && backend.request == HeaderChanges::default()
            && backend.response == HeaderChanges::default()
        {
            return Some(ClusterSpecifier::Cluster(cluster.clone()));
        }
        if shares.iter().all(|(cluster, _)| cluster.is_none()) {
            return None;
        }
        let clusters = shares.into_iter().map(|(cluster, backend)| ClusterWeight {
            name: cluster.unwrap_or_else(|| names::NO_BACKEND.to_owned()),
            weight: Some(backend.weight),
            request_headers_to_add: additions(&backend.request),
            request_headers_to_remove: backend.request.remove.clone(),
            response_headers_to_add: additions(&backend.response),
            response_headers_to_remove: backend.response.remove.clone(),
        });
        Some(ClusterSpecifier::WeightedClusters(WeightedCluster { clusters: clusters.collect() }))
    }

    /// Of those who get the requests the first whose endpoints a key decides on says what it is made of.
    fn hash_policy(&self, route: &Route, backends: &[Backend]) -> Vec<HashPolicy> {
        let shares = backends.iter().filter(|backend| backend.weight > 0);
        let clusters = shares.filter_map(|backend| self.cluster(route, &backend.to));
        let policies = clusters.map(|cluster| match Target::behind(self.index, &cluster) {
            Some(Target::Service(service, port)) => balancing::hash_policy(&self.index.traffic_of_service(service, port)),
            _ => Vec::new(),
        });
        policies.into_iter().find(|policy| !policy.is_empty()).unwrap_or_default()
    }

    /// Whoever is to get copies and cannot be found gets none.
    fn mirror(&self, route: &Route, Mirror { to, millionths }: &Mirror) -> Option<RequestMirrorPolicy> {
        let part = FractionalPercent { numerator: *millionths, denominator: DenominatorType::Million.into() };
        let of = (*millionths < WHOLE).then_some(RuntimeFractionalPercent { default_value: Some(part) });
        Some(RequestMirrorPolicy { cluster: self.cluster(route, to)?, runtime_fraction: of })
    }

    fn cluster(&self, route: &Route, to: &Reference) -> Option<String> {
        backends::resolve(self.index, route, to).ok()
    }

    fn redirect(&self, redirect: &Redirect, wanted: &Match) -> RedirectAction {
        let Redirect { scheme, host, port, path, status } = redirect;
        let of_scheme = scheme.as_ref().map(|scheme| if scheme == "https" { 443 } else { HTTP_PORT });
        // Without another host the caller's own word for it stays, port and all.
        let of_host = host.as_ref().map(|_| self.port.port).filter(|port| *port != HTTP_PORT);
        RedirectAction {
            host_redirect: host.clone().unwrap_or_default(),
            response_code: code(*status).into(),
            port_redirect: port.or(of_scheme).or(of_host).map_or(0, u32::from),
            path_rewrite_specifier: path.as_ref().map(|path| match path {
                PathChange::Full(path) => PathRewriteSpecifier::PathRedirect(path.clone()),
                PathChange::Prefix(new) => PathRewriteSpecifier::PrefixRewrite(new_prefix(new, wanted)),
            }),
            scheme_rewrite_specifier: scheme.clone().map(SchemeRewriteSpecifier::SchemeRedirect),
        }
    }
}

/// What an Envoy answers for the share of a backend that is none: to a call of gRPC it says 503 as UNAVAILABLE, and 500 as UNKNOWN.
fn nobodys_answer(kind: RouteKind) -> ClusterNotFoundResponseCode {
    match kind {
        RouteKind::Grpc => ClusterNotFoundResponseCode::ServiceUnavailable,
        RouteKind::Http | RouteKind::Tls | RouteKind::Tcp => ClusterNotFoundResponseCode::InternalServerError,
    }
}

/// An answer without anybody being asked.
pub(super) fn answer(status: u32) -> route::Action {
    route::Action::DirectResponse(DirectResponseAction { status })
}

/// How clients of a rule stay with an endpoint.
pub(super) fn session(rule: &Rule) -> Option<&Session> {
    match &rule.action {
        Action::Forward(forward) => forward.session.as_ref(),
        Action::Redirect(_) | Action::Fail => None,
    }
}

/// Whether what a rule puts in place of a prefix is nothing.
pub(super) fn takes_prefix_away(rule: &Rule) -> bool {
    let path = match &rule.action {
        Action::Forward(forward) => forward.rewrite.path.as_ref(),
        Action::Redirect(redirect) => redirect.path.as_ref(),
        Action::Fail => None,
    };
    matches!(path, Some(PathChange::Prefix(new)) if new.is_empty())
}

/// What takes the place of the matched prefix. Of all paths that is their first slash, and where the prefix is taken away the
/// match ends with one, too: it has to be given back.
fn new_prefix(new: &str, wanted: &Match) -> String {
    let is_of_all = matches!(&wanted.path, PathMatch::Prefix(prefix) if prefix.is_empty());
    if is_of_all || new.is_empty() { format!("{new}/") } else { new.to_owned() }
}

/// `path`, in place of any.
fn whole_path(path: &str) -> RegexMatchAndSubstitute {
    RegexMatchAndSubstitute {
        pattern: Some(RegexMatcher { regex: String::from("^.*$") }),
        // A backslash would refer to a group.
        substitution: path.replace('\\', r"\\"),
    }
}

/// Fields that are set and added.
pub(super) fn additions(changes: &HeaderChanges) -> Vec<HeaderValueOption> {
    let option = |append_action: HeaderAppendAction| {
        move |(key, value): &(String, String)| HeaderValueOption {
            // A percent sign would begin one of Envoy's variables.
            header: Some(HeaderValue { key: key.clone(), value: value.replace('%', "%%") }),
            append_action: append_action.into(),
        }
    };
    let set = changes.set.iter().map(option(HeaderAppendAction::OverwriteIfExistsOrAdd));
    set.chain(changes.add.iter().map(option(HeaderAppendAction::AppendIfExistsOrAdd))).collect()
}

fn code(status: u16) -> RedirectResponseCode {
    match status {
        301 => RedirectResponseCode::MovedPermanently,
        303 => RedirectResponseCode::SeeOther,
        307 => RedirectResponseCode::TemporaryRedirect,
        308 => RedirectResponseCode::PermanentRedirect,
        _ => RedirectResponseCode::Found,
    }
}
