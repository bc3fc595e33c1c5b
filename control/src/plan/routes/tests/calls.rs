//! Calls of gRPC: clause by clause, and against a slow model of what the Gateway API says of `GRPCRoute`.

use std::collections::BTreeMap;

use proptest::prelude::*;
use regex::Regex;

use super::*;

fn call(service: Option<ValueMatch>, method: Option<ValueMatch>) -> Match {
    Match { path: PathMatch::Call(CallMatch { service, method }), ..Match::all() }
}

fn exact(text: &str) -> Option<ValueMatch> {
    Some(ValueMatch::Exact(text.into()))
}

fn regex(text: &str) -> Option<ValueMatch> {
    Some(ValueMatch::Regex(text.into()))
}

fn route(name: &str, rules: Vec<Rule>) -> Route {
    Route { kind: RouteKind::Grpc, rules, ..route_to("shop", name, &key("cart"), &key("cart")) }
}

#[test]
fn calls_of_grpc_are_paths() {
    let expression = |text: &str| PathSpecifier::SafeRegex(RegexMatcher { regex: text.into() });
    for (wanted, expected) in [
        (call(exact("shop.Cart"), exact("Add")), PathSpecifier::Path("/shop.Cart/Add".into())),
        (call(exact("shop.Cart"), None), PathSpecifier::Prefix("/shop.Cart/".into())),
        (call(None, exact("Add")), expression("/[^/]+/Add")),
        (call(regex("shop|depot"), exact("a.b")), expression(r"/(?:shop|depot)/a\.b")),
        (call(regex(".*"), regex("A.*")), expression("/(?:.*)/(?:A.*)")),
    ] {
        assert_eq!(matches::of(&wanted, false)[0].path_specifier, Some(expected));
    }
}

/// Source: `GRPCRouteRule.matches`.
#[test]
fn calls_are_tried_by_service_and_method_and_header_fields() {
    let mut all = vec![
        Match { headers: vec![("x".into(), ValueMatch::Exact("1".into()))], ..call(exact("shop.Cart"), exact("Add")) },
        call(exact("shop.Cart"), exact("Add")),
        call(exact("shop.Cart"), None),
        call(exact("a.B"), exact("LongerThanAdd")),
        call(None, exact("Add")),
        Match::all(),
    ];
    let expected = all.clone();
    all.reverse();
    let route = route("r", vec![rule(all, Vec::new())]);
    let tried: Vec<Match> = order::of(&[&route]).iter().map(|candidate| candidate.wanted.clone()).collect();
    assert_eq!(tried, expected);
}

/// A call, as far as matches look at it.
#[derive(Clone, Debug)]
struct Sent {
    service: &'static str,
    method: &'static str,
    headers: BTreeMap<&'static str, &'static str>,
}

fn whole(regex: &str, text: &str) -> bool {
    Regex::new(&format!("^(?:{regex})$")).unwrap().is_match(text)
}

fn holds(wanted: &ValueMatch, text: &str) -> bool {
    match wanted {
        ValueMatch::Exact(exact) => exact == text,
        ValueMatch::Regex(regex) => whole(regex, text),
    }
}

/// As a proxy reads what it is told.
fn takes(told: &RouteMatch, sent: &Sent) -> bool {
    let path = format!("/{}/{}", sent.service, sent.method);
    let path = match told.path_specifier.as_ref().unwrap() {
        PathSpecifier::Path(exact) => path == *exact,
        PathSpecifier::Prefix(prefix) => path.starts_with(prefix.as_str()),
        PathSpecifier::SafeRegex(regex) => whole(&regex.regex, &path),
        PathSpecifier::PathSeparatedPrefix(_) => panic!("calls have no elements"),
    };
    path && told.headers.iter().all(|header| {
        let Some(HeaderMatchSpecifier::StringMatch(text)) = &header.header_match_specifier else { return false };
        sent.headers.get(header.name.as_str()).is_some_and(|value| is(text, value))
    })
}

/// As the Gateway API reads what is written: of all rules that are for a call, the one with the most of what counts first.
fn chosen<'a>(sent: &Sent, routes: &'a [Route]) -> Option<&'a str> {
    let mut left = Vec::new();
    for route in routes {
        for (number, rule) in route.rules.iter().enumerate() {
            left.extend(rule.matches.iter().map(|wanted| (route, number, wanted)));
        }
    }
    let parts = |wanted: &Match| match &wanted.path {
        PathMatch::Call(CallMatch { service, method }) => [service.clone(), method.clone()],
        _ => [None, None],
    };
    left.retain(|(.., wanted)| {
        let [service, method] = parts(wanted);
        service.is_none_or(|wanted| holds(&wanted, sent.service))
            && method.is_none_or(|wanted| holds(&wanted, sent.method))
            && wanted
                .headers
                .iter()
                .all(|(name, wanted)| sent.headers.get(name.as_str()).is_some_and(|value| holds(wanted, value)))
    });
    let best = left.into_iter().min_by_key(|(route, number, wanted)| {
        let parts = parts(wanted);
        // These are our own: a name, then a regular expression, then what names nothing.
        let names_nothing = parts.iter().all(Option::is_none);
        let is_regex = parts.iter().flatten().any(|part| matches!(part, ValueMatch::Regex(_)));
        let [service, method] = parts.map(|part| -part.map_or(0, |part| part.text().len() as i64));
        let most = (service, method, -(wanted.headers.len() as i64));
        (names_nothing, is_regex, most, route.made, route.key.to_string(), *number)
    });
    best.map(|(route, number, _)| route.rules[number].name.as_str())
}

fn any_match() -> impl Strategy<Value = Match> {
    let part = |names: Vec<&'static str>, regexes: Vec<&'static str>| {
        let names = prop::sample::select(names).prop_map(|name| ValueMatch::Exact(name.into()));
        let regexes = prop::sample::select(regexes).prop_map(|regex| ValueMatch::Regex(regex.into()));
        prop::option::of(prop_oneof![3 => names, 1 => regexes])
    };
    let headers = prop::collection::btree_map(prop::sample::select(vec!["x", "y"]), Just(ValueMatch::Exact("1".into())), 0..3);
    let parts = (part(vec!["a", "a.B", "ab"], vec!["a.*", "[ab]"]), part(vec!["Get", "GetAll"], vec!["Get.*", "Put|Get"]));
    (parts, headers).prop_map(|((service, method), headers)| {
        let wanted = if service.is_none() && method.is_none() { Match::all() } else { call(service, method) };
        Match { headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(), ..wanted }
    })
}

fn any_routes() -> impl Strategy<Value = Vec<Route>> {
    let rules = prop::collection::vec(prop::collection::vec(any_match(), 1..3), 1..4);
    prop::collection::vec((0..2_i64, rules), 1..4).prop_map(|routes| {
        let made = |(name, (made, rules)): (&str, (i64, Vec<Vec<Match>>))| {
            let rule = |(number, matches)| Rule { name: format!("{name}-{number}"), ..rule(matches, vec![to(&key("cart"), 1)]) };
            Route { made, ..route(name, rules.into_iter().enumerate().map(rule).collect()) }
        };
        ["r", "q", "r-2"].into_iter().zip(routes).map(made).collect()
    })
}

fn any_call() -> impl Strategy<Value = Sent> {
    let headers = prop::collection::btree_map(prop::sample::select(vec!["x", "y"]), prop::sample::select(vec!["1", "2"]), 0..3);
    let service = prop::sample::select(vec!["a", "a.B", "ab", "b"]);
    let method = prop::sample::select(vec!["Get", "GetAll", "Put"]);
    (service, method, headers).prop_map(|(service, method, headers)| Sent { service, method, headers })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_call_gets_the_rule_that_the_gateway_api_gives_it(
        routes in any_routes(), calls in prop::collection::vec(any_call(), 12),
    ) {
        let compiled = told(&shop(routes.clone()), "shop");
        for sent in calls {
            let found = compiled.iter().find(|route| takes(route.r#match.as_ref().unwrap(), &sent)).unwrap();
            prop_assert_eq!(Some(found.name.as_str()).filter(|name| !name.is_empty()), chosen(&sent, &routes), "{:?}", sent);
        }
    }
}
