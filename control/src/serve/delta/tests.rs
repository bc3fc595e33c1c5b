//! A client of the incremental variant, word by word.

use std::sync::Arc;

use proptest::prelude::*;
use wire::google::rpc::Status;

use super::{
    super::conversation::tests::{Shelf, name, shelf, touched},
    *,
};
use crate::plan::Resource;

fn session() -> Session {
    Session::new(None)
}

fn subscribe(kind: Kind, which: &[&str]) -> DeltaDiscoveryRequest {
    let names = which.iter().map(|which| name(kind, which)).collect();
    DeltaDiscoveryRequest { type_url: kind.type_url().to_owned(), resource_names_subscribe: names, ..Default::default() }
}

/// Kind, names of resources, names of what was removed.
type Told = (Kind, Vec<String>, Vec<String>);

fn told(responses: Vec<(Kind, DeltaDiscoveryResponse)>) -> Vec<Told> {
    let names = |response: &DeltaDiscoveryResponse| response.resources.iter().map(|resource| resource.name.clone()).collect();
    responses.into_iter().map(|(kind, response)| (kind, names(&response), response.removed_resources)).collect()
}

fn new(kind: Kind, which: &[&str]) -> Told {
    (kind, which.iter().map(|which| name(kind, which)).collect(), Vec::new())
}

fn gone(kind: Kind, which: &[&str]) -> Told {
    (kind, Vec::new(), which.iter().map(|which| name(kind, which)).collect())
}

#[test]
fn only_what_changed_is_sent_again() {
    let mut session = session();
    session.heard(subscribe(Kind::Cluster, &["a", "b"]));
    assert_eq!(told(session.flush(&shelf(&[("a", "1"), ("b", "1")]))), [new(Kind::Cluster, &["a", "b"])]);
    assert!(session.flush(&shelf(&[("a", "1"), ("b", "1")])).is_empty());
    session.touched(&touched(&["a", "b"]));
    assert_eq!(told(session.flush(&shelf(&[("a", "1"), ("b", "2")]))), [new(Kind::Cluster, &["b"])]);
}

#[test]
fn what_was_not_touched_is_not_looked_at() {
    let mut session = session();
    session.heard(subscribe(Kind::Cluster, &["a"]));
    session.flush(&shelf(&[("a", "1")]));
    session.touched(&touched(&["b"]));
    let shelf = shelf(&[("a", "1")]);
    assert!(session.flush(&shelf).is_empty());
    assert_eq!(shelf.asked(), 0);
}

#[test]
fn what_does_not_exist_is_said_once_and_sent_when_it_comes_to_be() {
    let mut session = session();
    session.heard(subscribe(Kind::Listener, &["a"]));
    assert_eq!(told(session.flush(&shelf(&[]))), [gone(Kind::Listener, &["a"])]);
    session.all_touched();
    assert!(session.flush(&shelf(&[])).is_empty());
    session.touched(&touched(&["a"]));
    assert_eq!(told(session.flush(&shelf(&[("a", "1")]))), [new(Kind::Listener, &["a"])]);
}

#[test]
fn a_client_that_comes_back_is_told_only_the_news() {
    let mut session = session();
    let held = ["a", "b", "c"].map(|which| (name(Kind::Cluster, which), "1".to_owned()));
    let request = DeltaDiscoveryRequest {
        initial_resource_versions: held.into_iter().collect(),
        ..subscribe(Kind::Cluster, &["a", "b", "c"])
    };
    session.heard(request);
    let news = told(session.flush(&shelf(&[("a", "1"), ("c", "2")])));
    assert_eq!(news, [new(Kind::Cluster, &["c"]), gone(Kind::Cluster, &["b"])]);
}

#[test]
fn whoever_subscribes_again_is_told_again() {
    let mut session = session();
    session.heard(subscribe(Kind::Cluster, &["a"]));
    session.flush(&shelf(&[("a", "1")]));
    session.heard(subscribe(Kind::Cluster, &["a"]));
    assert_eq!(session.flush(&shelf(&[("a", "1")])).len(), 1);
}

#[test]
fn what_points_at_others_comes_after_them_and_goes_before_them() {
    let mut session = session();
    for kind in [Kind::Route, Kind::Listener, Kind::Endpoints, Kind::Cluster] {
        session.heard(subscribe(kind, &["a"]));
    }
    let order = |told: Vec<(Kind, DeltaDiscoveryResponse)>| told.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
    let coming = order(session.flush(&shelf(&[("a", "1")])));
    assert_eq!(coming, [Kind::Cluster, Kind::Endpoints, Kind::Listener, Kind::Route]);
    session.all_touched();
    let going = order(session.flush(&shelf(&[])));
    assert_eq!(going, [Kind::Route, Kind::Listener, Kind::Endpoints, Kind::Cluster]);
}

#[test]
fn a_wildcard_follows_everything() {
    let mut session = session();
    session.heard(subscribe(Kind::Cluster, &[]));
    assert_eq!(told(session.flush(&shelf(&[("a", "1"), ("b", "1")]))), [new(Kind::Cluster, &["a", "b"])]);
    session.touched(&touched(&["b", "c"]));
    let news = told(session.flush(&shelf(&[("a", "1"), ("c", "1")])));
    assert_eq!(news, [new(Kind::Cluster, &["c"]), gone(Kind::Cluster, &["b"])]);
}

#[test]
fn a_nack_is_told_apart_and_may_subscribe() {
    let mut session = session();
    session.heard(subscribe(Kind::Cluster, &["a"]));
    session.flush(&shelf(&[("a", "1"), ("b", "1")]));
    let error = Some(Status { code: 3, message: "no".into(), ..Default::default() });
    let nack = DeltaDiscoveryRequest { error_detail: error, ..subscribe(Kind::Cluster, &["b"]) };
    assert_eq!(session.heard(nack), Heard::Nack { kind: Some(Kind::Cluster), message: "no".into() });
    let news = told(session.flush(&shelf(&[("a", "1"), ("b", "1")])));
    assert_eq!(news, [new(Kind::Cluster, &["b"])], "what was refused is not sent again as it was");
}

#[test]
fn a_type_we_do_not_have_is_no_reason_to_end_the_stream() {
    let request = DeltaDiscoveryRequest { type_url: "unheard of".into(), ..subscribe(Kind::Cluster, &["a"]) };
    assert_eq!(session().heard(request), Heard::Fine);
}

#[test]
fn too_many_subscriptions_are_refused() {
    let mut request = subscribe(Kind::Listener, &[]);
    request.resource_names_subscribe = (0..=NAMES_MAX).map(|number| format!("address/10.0.0.1:{number}")).collect();
    assert!(matches!(session().heard(request), Heard::Refused(_)));
}

#[test]
fn much_news_comes_in_several_responses() {
    struct Heavy;
    impl Source for Heavy {
        fn resource(&self, _: Kind, _: &str) -> Option<Arc<Resource>> {
            let body = prost_types::Any { value: vec![0; RESPONSE_BYTES / 3], ..Default::default() };
            Some(Arc::new(Resource { version: "1".into(), body }))
        }
        fn every_name(&self, _: Kind) -> Vec<String> {
            Vec::new()
        }
    }
    let mut session = session();
    session.heard(subscribe(Kind::Cluster, &["a", "b", "c", "d", "e"]));
    let sizes: Vec<_> = session.flush(&Heavy).iter().map(|(_, response)| response.resources.len()).collect();
    assert_eq!(sizes, [2, 2, 1]);
}

/// One thing that can happen on a stream.
#[derive(Clone, Debug)]
enum Event {
    Asks { kind: usize, subscribe: Vec<&'static str>, unsubscribe: Vec<&'static str>, nack: bool },
    Changes { which: &'static str, version: Option<&'static str> },
    Flush,
}

fn any_event() -> impl Strategy<Value = Event> {
    let which = || prop::sample::select(vec!["a", "b", "c", "*", "nonsense"]);
    prop_oneof![
        (0..4_usize, prop::collection::vec(which(), 0..3), prop::collection::vec(which(), 0..3), any::<bool>())
            .prop_map(|(kind, subscribe, unsubscribe, nack)| Event::Asks { kind, subscribe, unsubscribe, nack }),
        (prop::sample::select(vec!["a", "b", "c"]), prop::option::of(prop::sample::select(vec!["1", "2"])))
            .prop_map(|(which, version)| Event::Changes { which, version }),
        Just(Event::Flush),
    ]
}

/// A client that believes whatever it is told.
#[derive(Default)]
struct Client {
    asked: BTreeSet<Kind>,
    wanted: BTreeSet<(Kind, String)>,
    all: BTreeSet<Kind>,
    holds: BTreeMap<(Kind, String), String>,
}

impl Client {
    fn asks(&mut self, kind: Kind, subscribe: &[&str], unsubscribe: &[&str]) {
        if self.asked.insert(kind) && subscribe.is_empty() && kind.has_wildcard() {
            self.all.insert(kind);
        }
        for which in subscribe {
            match *which {
                "*" => drop(self.all.insert(kind)),
                _ => drop(self.wanted.insert((kind, name(kind, which)))),
            }
        }
        for which in unsubscribe {
            match *which {
                "*" => drop(self.all.remove(&kind)),
                _ => drop(self.wanted.remove(&(kind, name(kind, which)))),
            }
        }
        let (wanted, all) = (&self.wanted, &self.all);
        self.holds.retain(|held, _| all.contains(&held.0) || wanted.contains(held));
    }

    fn is_told(&mut self, kind: Kind, response: DeltaDiscoveryResponse) -> Result<(), TestCaseError> {
        for resource in response.resources {
            let held = (kind, resource.name);
            prop_assert!(self.all.contains(&kind) || self.wanted.contains(&held), "{held:?} was not asked for");
            self.holds.insert(held, resource.version);
        }
        for name in response.removed_resources {
            self.holds.remove(&(kind, name));
        }
        Ok(())
    }

    /// What it should hold by now.
    fn should_hold(&self, shelf: &Shelf) -> BTreeMap<(Kind, String), String> {
        let mut should = BTreeMap::new();
        for kind in Kind::ALL {
            for name in shelf.every_name(kind) {
                let held = (kind, name);
                if self.all.contains(&kind) || self.wanted.contains(&held) {
                    should.insert(held.clone(), shelf.resource(kind, &held.1).unwrap().version.clone());
                }
            }
        }
        should
    }
}

proptest! {
    #[test]
    fn a_client_ends_up_with_what_it_wants_and_is_never_sent_anything_else(events in prop::collection::vec(any_event(), 1..60)) {
        let mut session = session();
        let mut client = Client::default();
        let mut shelf = shelf(&[("a", "1")]);
        for event in events.into_iter().chain([Event::Flush]) {
            match event {
                Event::Asks { kind, subscribe: wanted, unsubscribe, nack } => {
                    let kind = Kind::ALL[kind];
                    client.asks(kind, &wanted, &unsubscribe);
                    let mut request = subscribe(kind, &wanted);
                    request.resource_names_unsubscribe = unsubscribe.iter().map(|which| name(kind, which)).collect();
                    request.error_detail = nack.then(Status::default);
                    request.response_nonce = "any".into();
                    session.heard(request);
                }
                Event::Changes { which, version } => {
                    shelf.put(which, version);
                    session.touched(&touched(&[which]));
                }
                Event::Flush => {
                    for (kind, response) in session.flush(&shelf) {
                        client.is_told(kind, response)?;
                    }
                    prop_assert_eq!(&client.holds, &client.should_hold(&shelf));
                }
            }
        }
    }
}
