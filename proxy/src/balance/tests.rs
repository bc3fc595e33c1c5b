//! One choice after another.

use std::time::Duration;

use super::*;
use crate::snapshot::Endpoint;

fn endpoint(host: u8, draining: bool) -> Arc<Endpoint> {
    let address = SocketAddr::from(([10, 77, 0, host], 80));
    Arc::new(Endpoint { address, identity: None, workload: "cart".into(), namespace: "shop".into(), draining })
}

fn cluster(endpoints: Vec<Arc<Endpoint>>) -> Arc<Cluster> {
    Arc::new(Cluster { name: "cart".into(), endpoints, discovered: true, ..Cluster::default() })
}

fn wanted(work: Work, family: Family, tried: &[SocketAddr]) -> Wanted<'_> {
    Wanted { work, family, key: None, tried }
}

fn state(seed: u64) -> State {
    State::new(seed, Shared::default())
}

#[test]
fn whoever_is_to_stay_stays_with_every_worker_while_he_can() {
    let shared = Shared::default();
    let workers = [1, 2].map(|seed| State::new(seed, shared.clone()));
    let now = crate::clock::now();
    let endpoints = (1..=5).map(|host| endpoint(host, false)).collect();
    let cart = Arc::new(Cluster { affinity: Some(Duration::from_secs(10)), ..Arc::into_inner(cluster(endpoints)).unwrap() });
    let choose = |tried: &[SocketAddr]| {
        let chosen = workers.iter().map(|worker| worker.choose(&cart, wanted(Work::Request, Family::V4, tried), now).unwrap());
        chosen.collect::<Vec<_>>()
    };
    let first = choose(&[])[0].endpoint().address;
    for _ in 0..50 {
        assert!(choose(&[]).iter().all(|chosen| chosen.endpoint().address == first));
    }
    let instead = choose(&[first])[0].endpoint().address;
    assert_ne!(instead, first, "what was tried is not tried again");
    assert!(choose(&[]).iter().all(|chosen| chosen.endpoint().address == instead), "and what worked instead is kept");
}

#[test]
fn a_client_stays_with_an_endpoint_while_it_is_there_and_can_be_reached() {
    let (state, now) = (state(1), crate::clock::now());
    let cart = cluster(vec![endpoint(1, false), endpoint(2, true), endpoint(4, false)]);
    let address = |host: u8| endpoint(host, false).address;
    let chosen = state.stay(&cart, address(1), now).unwrap();
    assert_eq!(chosen.endpoint().address, address(1));
    assert!(state.stay(&cart, address(2), now).is_none(), "it is going");
    assert!(state.stay(&cart, address(3), now).is_none(), "nobody has that address");
    chosen.failed(now);
    assert!(state.stay(&cart, address(1), now).is_none(), "it is ejected");
}

#[test]
fn an_endpoint_that_leaves_is_chosen_no_more_and_reported_once() {
    let state = state(1);
    let now = crate::clock::now();
    let both = cluster(vec![endpoint(1, false), endpoint(2, false)]);
    state.choose(&both, wanted(Work::Request, Family::V4, &[]), now).unwrap();
    let one = cluster(vec![endpoint(1, false), endpoint(2, true)]);
    assert_eq!(state.retire([&one].into_iter(), now), [endpoint(2, false).address]);
    assert_eq!(state.retire([&one].into_iter(), now), []);
    for _ in 0..50 {
        assert_eq!(
            state.choose(&one, wanted(Work::Request, Family::V4, &[]), now).unwrap().endpoint().address,
            endpoint(1, false).address
        );
    }
}

#[test]
fn what_was_tried_is_not_tried_again() {
    let state = state(1);
    let now = crate::clock::now();
    let both = cluster(vec![endpoint(1, false), endpoint(2, false)]);
    let tried = [endpoint(1, false).address, endpoint(2, false).address];
    assert_eq!(state.choose(&both, wanted(Work::Request, Family::V4, &tried[..1]), now).unwrap().endpoint().address, tried[1]);
    assert_eq!(state.choose(&both, wanted(Work::Request, Family::V4, &tried), now).unwrap_err().reason, Reason::NoEndpoint);
}

#[test]
fn work_goes_to_the_family_at_which_it_was_dialled() {
    let state = state(11);
    let now = crate::clock::now();
    let six = Arc::new(Endpoint { address: "[fd77::1]:80".parse().unwrap(), ..(*endpoint(9, false)).clone() });
    let both = cluster(vec![endpoint(1, false), six.clone(), endpoint(2, false)]);
    for _ in 0..50 {
        let chosen = state.choose(&both, wanted(Work::Request, Family::V6, &[]), now).unwrap();
        assert_eq!(chosen.endpoint().address, six.address);
    }
    let instead = state.choose(&both, wanted(Work::Request, Family::V6, &[six.address]), now).unwrap();
    assert!(instead.endpoint().address.is_ipv4(), "the other is better than none");
}

#[test]
fn an_ejected_endpoint_is_avoided_until_its_time_is_over() {
    let state = state(7);
    let now = crate::clock::now();
    let both = cluster(vec![endpoint(1, false), endpoint(2, false)]);
    let bad = loop {
        let chosen = state.choose(&both, wanted(Work::Request, Family::V4, &[]), now).unwrap();
        if chosen.endpoint().address == endpoint(1, false).address {
            break chosen;
        }
    };
    bad.failed(now);
    drop(bad);
    for _ in 0..50 {
        assert_eq!(
            state.choose(&both, wanted(Work::Request, Family::V4, &[]), now).unwrap().endpoint().address,
            endpoint(2, false).address
        );
    }
    let later = now + Duration::from_secs(60);
    assert!((0..50).any(|_| state.choose(&both, wanted(Work::Request, Family::V4, &[]), later).unwrap().endpoint().address
        == endpoint(1, false).address));
}

#[test]
fn the_way_to_an_endpoint_does_not_count_as_its_latency() {
    let state = state(5);
    let now = crate::clock::now();
    let both = cluster(vec![endpoint(1, false), endpoint(2, false)]);
    let other = [endpoint(2, false).address];
    let first = state.choose(&both, wanted(Work::Request, Family::V4, &other), now).unwrap();
    let ready = now + Duration::from_secs(1);
    first.begins(ready);
    first.answered(ready + Duration::from_micros(10));
    drop(first);
    let chosen = (0..50).map(|_| state.choose(&both, wanted(Work::Request, Family::V4, &[]), ready).unwrap().endpoint().address);
    assert!(chosen.into_iter().any(|address| address != other[0]), "a slow way there made it look slow");
}

#[test]
fn connections_go_where_there_are_fewest() {
    let state = state(3);
    let now = crate::clock::now();
    let both = cluster(vec![endpoint(1, false), endpoint(2, false)]);
    let held: Vec<_> = (0..10).map(|_| state.choose(&both, wanted(Work::Connection, Family::V4, &[]), now).unwrap()).collect();
    let first = held.iter().filter(|chosen| chosen.endpoint().address == endpoint(1, false).address).count();
    assert_eq!(first, 5);
}
