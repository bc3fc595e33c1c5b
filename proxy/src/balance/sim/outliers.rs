//! Who is put out, for how long, and how many at once.

use super::*;
use crate::snapshot::{Balancer, FailureShare, Outliers};

const SECOND: Duration = Duration::from_secs(1);

fn outliers() -> Outliers {
    Outliers {
        consecutive: None,
        failure_share: None,
        latency_factor: None,
        interval: SECOND,
        ejection: 2 * SECOND,
        ejection_max: 8 * SECOND,
        ejected_max: 50,
        panic: 0,
    }
}

fn five(outliers: Outliers) -> Arc<Cluster> {
    let balancing = Balancing { balancer: Balancer::RoundRobin, outliers: Some(Arc::new(outliers)), ..Balancing::default() };
    cluster(5, balancing)
}

/// Requests of `ended` that went to the first endpoint, of a hundred, in the time from one second to another.
fn part(ended: &[Ended], from: u32, to: u32) -> f64 {
    let within: Vec<_> = ended.iter().filter(|one| one.sent >= from * SECOND && one.sent < to * SECOND).collect();
    let first = within.iter().filter(|one| one.endpoint == 0).count();
    first as f64 * 100.0 / within.len() as f64
}

/// How many of five are out.
fn out(world: &World, cart: &Arc<Cluster>) -> usize {
    let mut groups = world.state.groups.borrow_mut();
    let group = world.state.group(&mut groups, cart, world.now);
    (0..5).filter(|number| group.at(endpoint(*number).address).unwrap().candidate.ejection.holds(world.now)).count()
}

#[test]
fn whoever_fails_is_put_out_and_comes_back() {
    let failing = |number: usize, at: Duration| {
        let fails = number == 0 && at >= 5 * SECOND && at < 15 * SECOND;
        (MILLISECOND, if fails { Outcome::Failed } else { Outcome::Answered })
    };
    let in_a_row = Outliers { consecutive: Some(5), ..outliers() };
    let by_share = Outliers { failure_share: Some(FailureShare { percent: 50, requests: 20 }), ..outliers() };
    for (name, outliers) in [("in a row", in_a_row), ("by share", by_share)] {
        let ended = World::new(41).send(&five(outliers), 60_000, MILLISECOND / 2, &failing);
        assert!((part(&ended, 0, 5) - 20.0).abs() < 1.0, "{name}: {}", part(&ended, 0, 5));
        let failed = ended.iter().filter(|one| one.outcome == Outcome::Failed).count();
        assert!(failed < 200, "{name}: {failed} of 20,000 requests failed while it did");
        // Its last time out, of eight seconds at most, began before it recovered.
        assert!((part(&ended, 25, 30) - 20.0).abs() < 1.0, "{name}: {}", part(&ended, 25, 30));
    }
}

#[test]
fn whoever_still_fails_is_put_out_by_its_first_failure() {
    let failing = |number: usize, _: Duration| (MILLISECOND, if number == 0 { Outcome::Failed } else { Outcome::Answered });
    let cart = five(Outliers { consecutive: Some(50), ..outliers() });
    let mut world = World::new(59);
    world.send(&cart, 2_000, MILLISECOND / 2, &failing);
    assert_eq!(out(&world, &cart), 1);
    // It comes back after 2, 4, and then every 8 seconds, and fails as long as requests to it are under way: a few at once.
    let ended = world.send(&cart, 120_000, MILLISECOND / 2, &failing);
    let failed = ended.iter().filter(|one| one.outcome == Outcome::Failed).count();
    assert!((7..=40).contains(&failed), "{failed} in a minute");
}

#[test]
fn whoever_has_answered_since_is_judged_as_at_first() {
    let failing = |number: usize, at: Duration| {
        // A second of failures, and after that one of three.
        let fails = number == 0 && (at < SECOND || at.subsec_micros().is_multiple_of(3));
        (MILLISECOND, if fails { Outcome::Failed } else { Outcome::Answered })
    };
    let cart = five(Outliers { consecutive: Some(20), ejection: SECOND, ejection_max: SECOND, ..outliers() });
    let ended = World::new(61).send(&cart, 60_000, MILLISECOND / 2, &failing);
    let share = part(&ended, 6, 30);
    assert!((share - 20.0).abs() < 1.0, "{share}");
}

#[test]
fn whoever_is_much_slower_than_its_neighbours_is_put_out() {
    let slow = |number: usize, at: Duration| {
        let slow = number == 0 && at >= 5 * SECOND && at < 15 * SECOND;
        (if slow { MILLISECOND * 20 } else { MILLISECOND }, Outcome::Answered)
    };
    let outliers = Outliers { latency_factor: Some(5), ..outliers() };
    let ended = World::new(43).send(&five(outliers), 60_000, MILLISECOND / 2, &slow);
    assert!((part(&ended, 0, 5) - 20.0).abs() < 1.0);
    assert!(part(&ended, 7, 15) < 8.0, "{}", part(&ended, 7, 15));
    assert!((part(&ended, 25, 30) - 20.0).abs() < 1.0, "{}", part(&ended, 25, 30));
}

#[test]
fn all_that_are_as_slow_as_each_other_stay() {
    let slow = |_: usize, _: Duration| (MILLISECOND * 20, Outcome::Answered);
    let cart = five(Outliers { latency_factor: Some(2), ..outliers() });
    let mut world = World::new(43);
    for _ in 0..50 {
        world.send(&cart, 200, MILLISECOND, &slow);
        assert_eq!(out(&world, &cart), 0);
    }
}

#[test]
fn no_more_are_out_than_may_be() {
    let failing = |_: usize, _: Duration| (MILLISECOND, Outcome::Failed);
    for (percent, most) in [(0, 1), (10, 1), (50, 2), (99, 4), (100, 5)] {
        let cart = five(Outliers { consecutive: Some(3), ejected_max: percent, ..outliers() });
        let mut world = World::new(47);
        let mut reached = 0;
        for _ in 0..500 {
            world.send(&cart, 20, MILLISECOND, &failing);
            reached = reached.max(out(&world, &cart));
            assert!(out(&world, &cart) <= most, "{percent} %: {} are out", out(&world, &cart));
        }
        assert_eq!(reached, most, "{percent} %");
    }
}

#[test]
fn where_too_few_are_left_all_are_used() {
    let failing = |number: usize, _: Duration| (MILLISECOND, if number < 4 { Outcome::Failed } else { Outcome::Answered });
    for (panic, expected) in [(0, 100.0), (20, 100.0), (50, 20.0)] {
        let outliers = Outliers {
            consecutive: Some(3),
            ejected_max: 100,
            panic,
            ejection: 60 * SECOND,
            ejection_max: 60 * SECOND,
            ..outliers()
        };
        let cart = five(outliers);
        let mut world = World::new(53);
        world.send(&cart, 1_000, MILLISECOND, &failing);
        let ended = world.send(&cart, 1_000, MILLISECOND, &failing);
        let last = counts(&ended, 5)[4] as f64 / 10.0;
        assert!((last - expected).abs() <= 1.0, "below {panic} % all are used: {last} % went to the one that works");
    }
}
