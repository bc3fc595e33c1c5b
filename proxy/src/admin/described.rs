//! What control told us of a destination, as JSON.

use std::fmt;

use serde_json::{Value, json};

use crate::snapshot::{Action, Backend, Cluster, Destination, Forward, Match, PathMatch, Route};

/// Where requests to `destination` may go, and which of them where.
pub(super) fn described(destination: &Destination) -> Value {
    let mut clusters: Vec<_> = destination.clusters().collect();
    clusters.sort_by(|a, b| a.name.cmp(&b.name));
    clusters.dedup_by(|a, b| a.name == b.name);
    let clusters: Vec<Value> = clusters.into_iter().map(|cluster| cluster_of(cluster)).collect();
    let routes = destination.requests.as_ref().map(|table| table.routes.iter().map(route).collect::<Vec<_>>());
    json!({
        "address": destination.address.to_string(),
        "service": destination.service.as_ref().map(ToString::to_string),
        "protocol": format!("{:?}", destination.protocol).to_lowercase(),
        "routes": routes,
        "clusters": clusters,
    })
}

fn cluster_of(cluster: &Cluster) -> Value {
    let endpoints: Vec<Value> = cluster
        .endpoints
        .iter()
        .map(|endpoint| {
            json!({
                "address": endpoint.address.to_string(),
                "identity": endpoint.identity.as_ref().map(ToString::to_string),
                "workload": &*endpoint.workload,
                "draining": endpoint.draining,
            })
        })
        .collect();
    json!({ "name": &*cluster.name, "endpoints": endpoints })
}

/// In the order in which they are tried.
fn route(route: &Route) -> Value {
    let action = match &route.action {
        Action::Forward(forward) => forwarded(forward),
        Action::Redirect(redirect) => json!({ "redirect": redirect.status.as_u16() }),
        Action::Refuse(reason) => json!({ "refuse": reason.word() }),
    };
    json!({ "match": route.matching.as_deref().map(matched), "action": action })
}

/// Of header fields and parameters the names alone: what they must be may be a secret.
fn matched(wanted: &Match) -> Value {
    json!({
        "path": Path(&wanted.path).to_string(),
        "method": wanted.method.as_ref().map(ToString::to_string),
        "headers": wanted.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        "query": wanted.query.iter().map(|(name, _)| &**name).collect::<Vec<_>>(),
    })
}

fn forwarded<C: AsRef<Cluster>>(forward: &Forward<C>) -> Value {
    let backend = |Backend { weight, cluster, .. }: &Backend<C>| json!({ "weight": weight, "cluster": cluster.as_ref().map(|cluster| &*cluster.as_ref().name) });
    let copies: Vec<_> =
        forward.mirrors.iter().map(|mirror| mirror.cluster.as_ref().map(|cluster| &*cluster.as_ref().name)).collect();
    json!({ "forward": forward.backends.iter().map(backend).collect::<Vec<_>>(), "mirrors": copies })
}

/// As a route says it: what kind of match, and what it names.
struct Path<'a>(&'a PathMatch);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            PathMatch::Exact(path) => write!(f, "Exact {path}"),
            PathMatch::Prefix(path) => write!(f, "Prefix {path}"),
            PathMatch::Elements(path) => write!(f, "PathPrefix {path}"),
            PathMatch::Regex(regex) => write!(f, "RegularExpression {regex}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, Method};

    use super::*;
    use crate::{refusal::Reason, snapshot::TextMatch};

    #[test]
    fn routes_are_told_in_their_order_and_without_what_may_be_a_secret() {
        let matching = Match {
            path: PathMatch::Elements("/cart".into()),
            method: Some(Method::GET),
            headers: vec![(HeaderName::from_static("authorization"), TextMatch::Exact("hunter2".into()))],
            query: vec![("token".into(), TextMatch::Exact("hunter2".into()))],
        };
        let nowhere = Forward::to([Backend { weight: 3, changes: None, cluster: None }].into_iter().collect());
        let told = route(&Route { matching: Some(matching.into()), gate: None, changes: None, action: Action::Forward(nowhere) });
        assert_eq!(
            told,
            json!({
                "match": { "path": "PathPrefix /cart", "method": "GET", "headers": ["authorization"], "query": ["token"] },
                "action": { "forward": [{ "weight": 3, "cluster": null }], "mirrors": [] },
            })
        );
        let told = route(&Route { matching: None, gate: None, changes: None, action: Action::Refuse(Reason::NoRoute) });
        assert_eq!(told, json!({ "match": null, "action": { "refuse": "no_route" } }));
    }
}
