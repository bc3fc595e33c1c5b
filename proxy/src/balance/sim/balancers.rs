//! What each balancer promises: fair parts, nobody forgotten, a look at few, slow ones spared, newcomers let in by and by.

use std::{cell::Cell, rc::Rc};

use super::{
    super::{
        Candidate,
        pick::{Standing, keyed, p2c, random, rotation},
    },
    *,
};
use crate::{
    hashing::{Maglev, Ring, Table},
    snapshot::Balancer,
};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| endpoint(number).address.to_string()).collect()
}

fn ring(count: usize) -> Table {
    Table::Ring(Ring::of(names(count).iter().map(String::as_bytes)))
}

fn maglev(count: usize) -> Table {
    Table::Maglev(Maglev::of(names(count).iter().map(String::as_bytes)))
}

/// Each balancer of `count` endpoints, and by how much of an even part theirs may differ.
fn balancers(count: usize) -> [(&'static str, Balancer, f64); 6] {
    [
        ("peak-ewma", Balancer::PeakEwma, 0.15),
        ("least-request", Balancer::LeastRequest, 0.1),
        ("round-robin", Balancer::RoundRobin, 0.001),
        ("random", Balancer::Random, 0.1),
        ("ring-hash", Balancer::Keyed(vec![ring(count)]), 0.35),
        ("maglev", Balancer::Keyed(vec![maglev(count)]), 0.1),
    ]
}

fn only(balancer: Balancer) -> Balancing {
    Balancing { balancer, ..Balancing::default() }
}

#[test]
fn parts_are_fair_and_nobody_is_forgotten() {
    const ENDPOINTS: usize = 10;
    for (name, balancer, slack) in balancers(ENDPOINTS) {
        let mut world = World::keyed(17);
        let ended = world.send(&cluster(ENDPOINTS, only(balancer)), 50_000, MILLISECOND / 5, &steady);
        let even = ended.len() as f64 / ENDPOINTS as f64;
        let counts = counts(&ended, ENDPOINTS);
        assert!(counts.iter().all(|count| (*count as f64 - even).abs() <= slack * even + 1.0), "{name}: {counts:?}");

        let mut sent = ended;
        sent.sort_by_key(|one| one.sent);
        let mut last = [0; ENDPOINTS];
        let mut longest = 0;
        for (position, one) in sent.iter().enumerate() {
            longest = longest.max(position - std::mem::replace(&mut last[one.endpoint], position));
        }
        assert!(longest <= 30 * ENDPOINTS, "{name}: somebody was passed over {longest} times in a row");
    }
}

/// How many candidates are looked at for a pick, in the mean, when every tenth is out.
fn looks(pick: impl Fn(&[Rc<Candidate>], &Dice, &dyn Fn(&Candidate) -> Standing) -> bool, count: usize) -> f64 {
    const PICKS: u32 = 10_000;
    let candidates: Vec<_> = (0..count).map(|number| Candidate::new(endpoint(number), None)).collect();
    let dice = Dice::new(5);
    let looks = Cell::new(0_u32);
    let judge = |candidate: &Candidate| {
        looks.set(looks.get() + 1);
        if number_of(candidate.endpoint.address) % 10 == 3 { Standing::Out } else { Standing::In }
    };
    assert!((0..PICKS).all(|_| pick(&candidates, &dice, &judge)));
    f64::from(looks.get()) / f64::from(PICKS)
}

#[test]
fn a_pick_looks_at_few_however_many_there_are() {
    let turn = Cell::new(0);
    let of = |count: usize| {
        let (ring, maglev) = (ring(count), maglev(count));
        let key = |dice: &Dice| dice.roll(usize::MAX) as u64;
        [
            looks(|all, dice, judge| p2c::pick(all, dice, judge, |_| 0.0).is_some(), count),
            looks(|all, _, judge| rotation::pick(all, &turn, judge).is_some(), count),
            looks(|all, dice, judge| random::pick(all, dice, judge).is_some(), count),
            looks(|all, dice, judge| keyed::pick(all, &ring, key(dice), judge).is_some(), count),
            looks(|all, dice, judge| keyed::pick(all, &maglev, key(dice), judge).is_some(), count),
        ]
    };
    let (ten, thousand) = (of(10), of(1_000));
    assert!(ten.iter().zip(&thousand).all(|(few, many)| *many < 3.0 && *many < few * 1.2), "{ten:?} {thousand:?}");
}

#[test]
fn a_key_stays_with_its_endpoint_while_that_can_be() {
    for (name, table) in [("ring-hash", ring(5)), ("maglev", maglev(5))] {
        let world = World::new(3);
        let cart = cluster(5, only(Balancer::Keyed(vec![table])));

        let choose = |tried: &[SocketAddr], now| {
            let wanted = Wanted { work: Work::Request, family: Family::V4, key: Some(42), tried };
            world.state.choose(&cart, wanted, now).unwrap()
        };
        let first = choose(&[], world.now).endpoint().address;
        assert!((0..50).all(|_| choose(&[], world.now).endpoint().address == first), "{name}");
        let second = choose(&[first], world.now).endpoint().address;
        choose(&[], world.now).failed(world.now);
        assert!((0..50).all(|_| choose(&[], world.now).endpoint().address == second), "{name}: another takes its place");
        assert_eq!(choose(&[], world.now + Duration::from_secs(1)).endpoint().address, first, "{name}: and gives it back");
    }
}

#[test]
fn a_newcomers_part_grows_with_its_age() {
    const WINDOW: Duration = Duration::from_secs(30);
    for (name, balancer, _) in balancers(5).into_iter().take(4) {
        let again = match balancer {
            Balancer::LeastRequest => Balancer::LeastRequest,
            Balancer::RoundRobin => Balancer::RoundRobin,
            Balancer::Random => Balancer::Random,
            _ => Balancer::PeakEwma,
        };
        let slow = |balancer| Balancing { slow_start: Some(WINDOW), ..only(balancer) };
        let mut world = World::new(23);
        world.send(&cluster(4, slow(balancer)), 2_000, MILLISECOND / 2, &steady);
        let joined = world.now - world.began;
        let ended = world.send(&cluster(5, slow(again)), 80_000, MILLISECOND / 2, &steady);
        // Of an even part, in the seconds from one to the other.
        let part = |from: u64, to: u64| {
            let inside = |one: &&Ended| {
                let age = one.sent - joined;
                age >= Duration::from_secs(from) && age < Duration::from_secs(to)
            };
            let within: Vec<_> = ended.iter().filter(inside).collect();
            let counts = counts(within.iter().copied(), 5);
            counts[4] as f64 * 4.0 / counts[..4].iter().sum::<usize>() as f64
        };
        let (young, growing, grown) = (part(0, 2), part(14, 16), part(32, 40));
        assert!((0.05..0.25).contains(&young), "{name}: {young} at first");
        // Whoever has less to do answers sooner, so peak-EWMA makes up for a part of it.
        let middle = if name == "peak-ewma" { 0.35..0.8 } else { 0.35..0.65 };
        assert!(middle.contains(&growing), "{name}: {growing} in the middle");
        assert!((0.85..1.15).contains(&grown), "{name}: {grown} at last");
    }
}

#[test]
fn one_slow_endpoint_is_spared_by_those_who_look() {
    let slow = |number: usize, _: Duration| (if number == 0 { MILLISECOND * 50 } else { MILLISECOND }, Outcome::Answered);
    let tail = |balancer| percentile(&World::new(29).send(&cluster(5, only(balancer)), 50_000, MILLISECOND / 2, &slow), 99);
    let [peak_ewma, least_request, round_robin] = [Balancer::PeakEwma, Balancer::LeastRequest, Balancer::RoundRobin].map(tail);
    println!(
        "p99 with one of five 50 times as slow: peak-ewma {peak_ewma:?}, least-request {least_request:?}, round-robin {round_robin:?}"
    );
    assert!(peak_ewma < MILLISECOND * 5 && peak_ewma < least_request, "{peak_ewma:?}");
    assert!(round_robin >= MILLISECOND * 50, "{round_robin:?}");
}

#[test]
fn the_near_come_first_and_the_far_when_they_are_short() {
    let levels = Balancing { levels: vec![5, 5], ..only(Balancer::Random) };
    let cart = cluster(10, levels);
    let mut world = World::new(31);
    let near = |ended: &[Ended]| ended.iter().filter(|one| one.endpoint < 5).count() as f64 / ended.len() as f64;
    assert!(near(&world.send(&cart, 1_000, MILLISECOND, &steady)) >= 1.0, "all are near");
    // Three of the five cannot be reached: two fifths are available, and take 1.4 times as much.
    for _ in 0..1_000 {
        let chosen = world.choose(&cart);
        if number_of(chosen.endpoint().address) < 3 {
            chosen.failed(world.now);
        }
    }
    let part = near(&world.send(&cart, 4_000, MILLISECOND / 20, &steady));
    assert!((0.52..0.60).contains(&part), "{part}");
    world.now += Duration::from_secs(60);
    assert!(near(&world.send(&cart, 1_000, MILLISECOND, &steady)) >= 1.0, "and all are near again");
}
