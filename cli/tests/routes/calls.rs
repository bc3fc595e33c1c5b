//! Calls of gRPC: which of them a rule of a `GRPCRoute` is for, and which rule goes first. What becomes of them then is what becomes of
//! requests.
//!
//! Source: `grpcroute_types.go` of the Gateway API, "Route types" of GEP-1294, and `docs/operating/routes.md` for what those leave to
//! implementations.

use std::cmp::Reverse;

use control::manifest::routes::{
    Filter, GrpcMatch, GrpcRoute, GrpcRouteSpec, GrpcRule, HttpRoute, HttpRouteSpec, Match, MethodMatch, Rule,
};
use proptest::{
    collection::{btree_map, vec},
    option::{of, weighted},
    prelude::*,
    sample::select,
};

use crate::{
    draw::{self, expression},
    reference::{self, Candidate, headers, holds, is_attached, means_something, seniority},
    world::{Asked, Fate, SERVICES, World},
};

/// Routes of calls, and a few of requests beside them.
pub fn world() -> impl Strategy<Value = World> {
    let route = |((namespace, name), (spec, made))| (GrpcRoute { metadata: draw::metadata(namespace, name), spec }, made);
    let calls = btree_map(draw::name(), (spec(), 0..2_i64), 0..4);
    (calls, draw::http_routes(2)).prop_map(move |(calls, routes)| World {
        routes,
        calls: calls.into_iter().map(route).collect(),
        grants: Vec::new(),
    })
}

fn spec() -> impl Strategy<Value = GrpcRouteSpec> {
    (vec(draw::parent(), 1..3), vec(rule(), 0..4)).prop_map(|(parent_refs, rules)| GrpcRouteSpec { parent_refs, rules })
}

fn rule() -> impl Strategy<Value = GrpcRule> {
    let unknown = weighted(0.1, Just(Filter { kind: String::from("ExtensionRef"), ..Filter::default() }));
    let changes = |kind| weighted(0.2, draw::changes(kind));
    let filters = (changes("RequestHeaderModifier"), changes("ResponseHeaderModifier"), unknown);
    (vec(wanted(), 0..4), filters, vec(draw::backend(), 0..4)).prop_map(
        |(matches, (request, response, unknown), backend_refs)| {
            let filters = request.into_iter().chain(response).chain(unknown).collect();
            GrpcRule { matches, filters, backend_refs, ..GrpcRule::default() }
        },
    )
}

fn wanted() -> impl Strategy<Value = GrpcMatch> {
    let headers = vec(draw::value(&["x-a", "X-A", "x-b"], &["1", "2", "1,2"]), 0..3);
    (weighted(0.8, method()), headers).prop_map(|(method, headers)| GrpcMatch { method, headers })
}

fn method() -> impl Strategy<Value = MethodMatch> {
    let texts = |all: &'static [&'static str]| of(select(all).prop_map(str::to_owned));
    // The last of each cannot be read.
    let exact = (of(Just("Exact")), texts(&["S", "S.T", "Shop", "", "S/T"]), texts(&["M", "Mm", "m", ""]));
    let regex = (Just(Some("RegularExpression")), of(draw::expressions()), of(draw::expressions()));
    let other = (Just(Some("Suffix")), texts(&["S"]), texts(&["M"]));
    prop_oneof![12 => exact, 5 => regex, 1 => other].prop_map(|(kind, service, method)| MethodMatch {
        kind: kind.map(str::to_owned),
        service,
        method,
    })
}

/// A call, or what is none.
pub fn asked() -> impl Strategy<Value = Asked> {
    let path = select(&["/S/M", "/S/Mm", "/S/m", "/S.T/M", "/S.T/m", "/Shop/M", "/Shop/Mm", "/s/M", "/SS/M", "/else", "/"][..]);
    (draw::asked(), path).prop_map(|(asked, path)| Asked { path, ..asked })
}

/// What may become of a call, and with which weight.
pub fn fates(world: &World, asked: &Asked) -> Vec<(u32, Fate)> {
    let of_requests = |namespace: &str| world.routes.iter().any(|(route, _)| attached(route, namespace, asked));
    let calls: Vec<(HttpRoute, &GrpcRoute, i64)> =
        world.calls.iter().map(|(route, made)| (shared(route), route, *made)).collect();
    let of_calls = |namespace: &str| -> Vec<&(HttpRoute, &GrpcRoute, i64)> {
        calls.iter().filter(|(route, ..)| attached(route, namespace, asked)).collect()
    };
    let own = of_calls(asked.namespace);
    let routes = if own.is_empty() && !of_requests(asked.namespace) { of_calls(SERVICES[0].0) } else { own };
    if routes.is_empty() {
        return reference::fates(world, asked);
    }
    let mut candidates: Vec<(&GrpcMatch, Candidate<'_>)> = Vec::new();
    for (route, said, made) in routes {
        for (number, rule) in said.spec.rules.iter().enumerate() {
            for wanted in matches(rule).filter(|wanted| is_for(wanted, asked)) {
                let rule = Rule { filters: rule.filters.clone(), backend_refs: rule.backend_refs.clone(), ..Rule::default() };
                candidates.push((wanted, Candidate { route, made: *made, number, rule, wanted: fields(wanted) }));
            }
        }
    }
    candidates.sort_by(|(one, of_one), (other, of_other)| rank(one).cmp(&rank(other)).then_with(|| seniority(of_one, of_other)));
    candidates.first().map_or(vec![(1, Fate::Refused(404))], |(_, first)| first.fates(world, asked))
}

fn attached(route: &HttpRoute, namespace: &str, asked: &Asked) -> bool {
    reference::namespace(route) == namespace && is_attached(&route.spec.parent_refs, namespace, asked)
}

/// What a route has that one of requests has, too.
fn shared(route: &GrpcRoute) -> HttpRoute {
    let spec = HttpRouteSpec { parent_refs: route.spec.parent_refs.clone(), rules: Vec::new() };
    HttpRoute { metadata: route.metadata.clone(), spec }
}

/// Without matches there is one, for everything. A rule one of whose matches means nothing is for no call.
fn matches(rule: &GrpcRule) -> impl Iterator<Item = &GrpcMatch> {
    static EVERYTHING: GrpcMatch = GrpcMatch { method: None, headers: Vec::new() };
    let everything = rule.matches.is_empty().then_some(&EVERYTHING);
    let readable =
        rule.matches.iter().all(|wanted| wanted.method.as_ref().is_none_or(can_be_read) && means_something(&fields(wanted)));
    everything.into_iter().chain(rule.matches.iter().filter(move |_| readable))
}

/// "At least one of Service and Method MUST be a non-empty string."
fn can_be_read(method: &MethodMatch) -> bool {
    let names = || parts(method).into_iter().flatten();
    match method.kind.as_deref() {
        None | Some("Exact") => names().count() > 0 && names().all(|name| !name.contains('/')),
        Some("RegularExpression") => names().count() > 0,
        Some(_) => false,
    }
}

/// Service and method.
fn parts(method: &MethodMatch) -> [Option<&str>; 2] {
    [&method.service, &method.method].map(|part| part.as_deref().filter(|part| !part.is_empty()))
}

/// Its header fields, as those of a request.
fn fields(wanted: &GrpcMatch) -> Match {
    Match { headers: wanted.headers.clone(), ..Match::default() }
}

/// "POST /Service/Method": all that is said must hold.
fn is_for(wanted: &GrpcMatch, asked: &Asked) -> bool {
    let called: Vec<&str> = asked.path.split('/').skip(1).collect();
    let method_holds = wanted.method.as_ref().is_none_or(|method| {
        let is_regex = method.kind.as_deref() == Some("RegularExpression");
        let holds = |part: &str, called: &str| if is_regex { expression(part, called) } else { part == called };
        called.len() == 2 && parts(method).iter().zip(called).all(|(part, called)| part.is_none_or(|part| holds(part, called)))
    });
    method_holds && holds(&fields(wanted), asked)
}

/// "Precedence MUST be given to the rule with the largest number of characters in a matching service, … method, … header matches."
/// Expressions are between the names and what names nothing.
fn rank(wanted: &GrpcMatch) -> (u8, [Reverse<usize>; 3]) {
    let [service, method] = wanted.method.as_ref().map_or([None, None], parts).map(|part| part.map_or(0, str::len));
    let kind = match &wanted.method {
        None => 2,
        Some(method) => u8::from(method.kind.as_deref() == Some("RegularExpression")),
    };
    (kind, [service, method, headers(&fields(wanted)).len()].map(Reverse))
}
