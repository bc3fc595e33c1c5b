//! What a service's port is to a client of gRPC that follows xDS itself: a listener without an address, called as the client's
//! target is, with the routes inside.
//!
//! In: the routes as proxies are told them. Out: the same in those words of xDS that gRPC knows. Never: a word for which gRPC would refuse
//! the whole (gRFC A27 and A28): it has no `path_separated_prefix`, takes timeouts from `max_stream_duration` alone (A31), and
//! no policy that tries again not even once (A44).

use wire::{
    envoy::{
        config::{
            listener::v3::{ApiListener, Listener},
            route::v3::{
                HeaderMatcher, Route, RouteAction, RouteConfiguration, RouteMatch, header_matcher::HeaderMatchSpecifier,
                route::Action, route_action::MaxStreamDuration, route_match::PathSpecifier,
            },
        },
        extensions::filters::network::http_connection_manager::v3::{
            HttpConnectionManager, http_connection_manager::RouteSpecifier,
        },
        r#type::matcher::v3::string_matcher::MatchPattern,
    },
    names,
};

use super::{listener::http_filters, shape::any};

/// The method of every call.
const METHOD: &str = "POST";

/// The listener of the target `name`, whose calls go by `routes`.
pub(super) fn listener(name: &str, routes: RouteConfiguration) -> Listener {
    let manager = HttpConnectionManager {
        stat_prefix: routes.name.clone(),
        route_specifier: Some(RouteSpecifier::RouteConfig(in_words_of_grpc(routes))),
        http_filters: http_filters(),
    };
    let api_listener = ApiListener { api_listener: Some(any(names::HTTP_CONNECTION_MANAGER, &manager)) };
    Listener { name: name.to_owned(), api_listener: Some(api_listener), ..Default::default() }
}

fn in_words_of_grpc(mut routes: RouteConfiguration) -> RouteConfiguration {
    for host in &mut routes.virtual_hosts {
        host.routes = std::mem::take(&mut host.routes).into_iter().flat_map(said).collect();
    }
    routes
}

/// One route; none where no call can be for it, and two where a prefix ends at an element of the path.
fn said(mut route: Route) -> Vec<Route> {
    if let Some(Action::Route(action)) = &mut route.action {
        limit(action);
    }
    let Some(wanted) = route.r#match.take().and_then(of_calls) else { return Vec::new() };
    let paths = match wanted.path_specifier.clone() {
        Some(PathSpecifier::PathSeparatedPrefix(prefix)) => {
            vec![Some(PathSpecifier::Path(prefix.clone())), Some(PathSpecifier::Prefix(format!("{prefix}/")))]
        }
        other => vec![other],
    };
    let with = |path_specifier| Route { r#match: Some(RouteMatch { path_specifier, ..wanted.clone() }), ..route.clone() };
    paths.into_iter().map(with).collect()
}

/// `wanted` without the method, which goes without saying; `None` when it is for another.
fn of_calls(mut wanted: RouteMatch) -> Option<RouteMatch> {
    let (methods, others) = wanted.headers.into_iter().partition(|header| header.name == ":method");
    wanted.headers = others;
    let methods: Vec<HeaderMatcher> = methods;
    methods.iter().all(takes_calls).then_some(wanted)
}

fn takes_calls(method: &HeaderMatcher) -> bool {
    let is_ours = match &method.header_match_specifier {
        Some(HeaderMatchSpecifier::StringMatch(text)) => {
            matches!(&text.match_pattern, Some(MatchPattern::Exact(word)) if word == METHOD)
        }
        Some(HeaderMatchSpecifier::PresentMatch(is_there)) => *is_there,
        None => true,
    };
    is_ours != method.invert_match
}

fn limit(action: &mut RouteAction) {
    action.max_stream_duration = action.timeout.take().map(|limit| MaxStreamDuration { max_stream_duration: Some(limit) });
    if action.retry_policy.as_ref().is_some_and(|policy| policy.retry_on.is_empty() || policy.num_retries == Some(0)) {
        action.retry_policy = None;
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use wire::envoy::{
        config::route::v3::{RetryPolicy, VirtualHost},
        r#type::matcher::v3::StringMatcher,
    };

    use super::*;

    fn heard(route: Route) -> Vec<Route> {
        let host = VirtualHost { routes: vec![route], ..Default::default() };
        let routes = RouteConfiguration { name: "cart".into(), virtual_hosts: vec![host] };
        let listener = listener("cart.shop:80", routes);
        assert_eq!((listener.name.as_str(), listener.address), ("cart.shop:80", None));
        let manager = listener.api_listener.unwrap().api_listener.unwrap();
        let manager = HttpConnectionManager::decode(&*manager.value).unwrap();
        let Some(RouteSpecifier::RouteConfig(mut routes)) = manager.route_specifier else { panic!("no routes") };
        routes.virtual_hosts.pop().unwrap().routes
    }

    fn matching(path: PathSpecifier, methods: &[(&str, bool)]) -> Route {
        let method = |(word, invert_match): &(&str, bool)| HeaderMatcher {
            name: ":method".into(),
            header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(StringMatcher {
                match_pattern: Some(MatchPattern::Exact((*word).to_owned())),
                ignore_case: false,
            })),
            invert_match: *invert_match,
        };
        let wanted =
            RouteMatch { path_specifier: Some(path), headers: methods.iter().map(method).collect(), ..Default::default() };
        Route { r#match: Some(wanted), ..Default::default() }
    }

    fn paths(routes: &[Route]) -> Vec<PathSpecifier> {
        routes.iter().filter_map(|route| route.r#match.as_ref()?.path_specifier.clone()).collect()
    }

    #[test]
    fn a_prefix_that_ends_at_an_element_is_said_as_that_path_and_what_is_below_it() {
        let routes = heard(matching(PathSpecifier::PathSeparatedPrefix("/shop.Cart".into()), &[]));
        let expected = [PathSpecifier::Path("/shop.Cart".into()), PathSpecifier::Prefix("/shop.Cart/".into())];
        assert_eq!(paths(&routes), expected);
    }

    #[test]
    fn a_method_is_not_asked_for_and_a_route_for_another_is_left_out() {
        let all = || PathSpecifier::Prefix("/".into());
        for (methods, is_told) in
            [(&[("POST", false)][..], true), (&[("GET", false)], false), (&[("GET", true)], true), (&[("POST", true)], false)]
        {
            let routes = heard(matching(all(), methods));
            assert_eq!(!routes.is_empty(), is_told, "{methods:?}");
            assert!(routes.iter().all(|route| route.r#match.as_ref().unwrap().headers.is_empty()));
        }
    }

    #[test]
    fn timeouts_are_said_where_grpc_looks_for_them_and_empty_policies_are_not_said() {
        let limit = prost_types::Duration { seconds: 1, nanos: 0 };
        let retry_policy = Some(RetryPolicy { per_try_timeout: Some(limit), ..Default::default() });
        let action = RouteAction { timeout: Some(limit), retry_policy, ..Default::default() };
        let route = Route { action: Some(Action::Route(action)), ..matching(PathSpecifier::Prefix("/".into()), &[]) };
        let Some(Action::Route(action)) = heard(route).pop().unwrap().action else { panic!("another action") };
        let limited = Some(MaxStreamDuration { max_stream_duration: Some(limit) });
        assert_eq!((action.timeout, action.retry_policy, action.max_stream_duration), (None, None, limited));
    }
}
