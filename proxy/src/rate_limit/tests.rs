//! By a clock of their own, and beside a slow and obviously right reference.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const MILLISECOND: u64 = 1_000_000;

fn rate(requests: u32, per_ms: u64, burst: u32) -> Rate {
    let number = |number| NonZeroU32::new(number).unwrap();
    Rate { requests: number(requests), per: Duration::from_millis(per_ms), burst: number(burst) }
}

fn start() -> Instant {
    crate::clock::now()
}

fn address(number: u32) -> Client {
    Client::Address(std::net::Ipv4Addr::from(number).into())
}

/// How many of `asked` at once are taken.
fn taken(limit: &RateLimit, client: &Client, asked: usize, now: Instant) -> usize {
    (0..asked).filter(|_| limit.take(|| client.clone(), now).is_ok()).count()
}

#[test]
fn a_burst_is_taken_at_once_and_then_one_after_the_other() {
    let now = start();
    let limit = RateLimit::together(rate(10, 1_000, 3), now);
    let later = |ms| now + Duration::from_millis(ms);
    assert_eq!(taken(&limit, &address(1), 5, now), 3);
    assert_eq!(taken(&limit, &address(2), 5, later(99)), 0);
    assert_eq!(taken(&limit, &address(1), 5, later(100)), 1);
    assert_eq!(taken(&limit, &address(1), 5, later(10_000)), 3, "no more is saved up");
}

#[test]
fn who_has_to_wait_is_told_how_long() {
    let now = start();
    let limit = RateLimit::together(rate(1, 2_500, 1), now);
    assert_eq!(limit.take(|| address(1), now), Ok(()));
    let wait = limit.take(|| address(1), now + Duration::from_millis(500));
    assert_eq!(wait, Err(Duration::from_secs(2)));
    assert_eq!(limit.take(|| address(1), now + Duration::from_millis(2_500)), Ok(()));
}

#[test]
fn each_client_has_a_count_of_its_own() {
    let now = start();
    let limit = RateLimit::by_client(rate(2, 1_000, 2), now);
    let identity = Client::Identity("spiffe://cluster.local/ns/shop/sa/web".parse().unwrap());
    for client in [address(1), address(2), identity] {
        assert_eq!(taken(&limit, &client, 5, now), 2, "{client:?}");
    }
}

#[test]
fn those_who_are_not_remembered_share_one_count() {
    let now = start();
    let limit = RateLimit::by_client(rate(1, 3_600_000, 1), now);
    let all = u32::try_from(clients::CLIENTS_MAX).unwrap();
    assert!((0..all).all(|number| taken(&limit, &address(number), 2, now) == 1));
    assert_eq!(taken(&limit, &address(all), 2, now), 1);
    assert_eq!(taken(&limit, &address(all + 1), 2, now), 0);
    let Counted::ByClient(clients) = &limit.counted else { panic!("by client") };
    assert_eq!(clients.remembered(), clients::CLIENTS_MAX);
}

#[test]
fn who_may_ask_as_if_it_had_never_asked_makes_room() {
    let now = start();
    let limit = RateLimit::by_client(rate(1, 1_000, 1), now);
    let all = u32::try_from(clients::CLIENTS_MAX).unwrap();
    assert!((0..all).all(|number| taken(&limit, &address(number), 1, now) == 1));
    let later = now + Duration::from_secs(10);
    assert!((all..all + 64).all(|number| taken(&limit, &address(number), 2, later) == 1), "each has a count of its own");
    let Counted::ByClient(clients) = &limit.counted else { panic!("by client") };
    assert!(clients.remembered() <= clients::CLIENTS_MAX);
}

#[test]
fn workers_together_take_no_more_than_one_alone() {
    let now = start();
    let limit = RateLimit::together(rate(1_000, 3_600_000, 1_000), now);
    let count = || taken(&limit, &address(1), 1_000, now);
    let total: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!(total, 1_000);
}

/// Remembers each request that was taken, and when it was paid for: a queue that is emptied at the even rate, in which there is room for
/// a burst.
struct Reference {
    apart: u64,
    burst: usize,
    unpaid: VecDeque<u64>,
}

impl Reference {
    fn take(&mut self, now: u64) -> bool {
        while self.unpaid.front().is_some_and(|paid| *paid <= now) {
            self.unpaid.pop_front();
        }
        if self.unpaid.len() >= self.burst {
            return false;
        }
        let last = self.unpaid.back().copied().unwrap_or(now);
        self.unpaid.push_back(last + self.apart);
        true
    }
}

proptest! {
    #[test]
    fn it_takes_what_the_reference_takes(
        requests in 1_u32..50, per in 1_u64..2_000, burst in 1_u32..20, pauses in prop::collection::vec(0_u64..200 * MILLISECOND, 1..200),
    ) {
        let began = start();
        let limit = RateLimit::together(rate(requests, per, burst), began);
        let apart = (per * MILLISECOND).div_ceil(requests.into());
        let mut reference = Reference { apart, burst: burst as usize, unpaid: VecDeque::new() };
        let mut now = 0;
        for pause in pauses {
            now += pause;
            let taken = limit.take(|| address(1), began + Duration::from_nanos(now));
            prop_assert_eq!(taken.is_ok(), reference.take(now));
            if let Err(wait) = taken {
                // Nobody is told to wait too short, or longer than needed.
                let free = reference.unpaid[reference.unpaid.len() - burst as usize];
                prop_assert_eq!(wait, Duration::from_nanos(free - now));
            }
        }
    }
}
