//! Policies, through control's compiler and a sidecar's judgement, held against what the documentation says of them.
//!
//! ```text
//! draw       policies, callers and requests at random, so that they have to do with one another
//! reference  who may, straight from the text of docs/operating/policies.md
//! ```

mod draw;
mod reference;

use control::measured::Known;
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use proxy::measured::Door;

use draw::World;

/// Worlds that are drawn, and requests in each.
const WORLDS: u32 = 1_000;
const REQUESTS: usize = 100;

#[test]
fn whoever_may_by_the_text_may_and_nobody_else() {
    let mut runner = TestRunner::new(Config { cases: WORLDS, max_shrink_iters: 300, ..Config::default() });
    let (mut kept, mut all) = (0_u32, 0_u32);
    let outcome = runner.run(&(draw::world(), prop::collection::vec(draw::asked(), REQUESTS)), |(world, requests)| {
        let door = door(&world);
        for asked in &requests {
            let may = reference::may(&world, asked);
            prop_assert_eq!(
                door.lets(asked.identity(), asked.address, asked.port, asked.request().as_ref()),
                may,
                "\n{:?}\n{:?}\n",
                asked,
                world
            );
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    // A property that draws worlds in which nobody may anything, or everybody all, says little.
    let mut runner = TestRunner::deterministic();
    for _ in 0..200 {
        let world = draw::world().new_tree(&mut runner).expect("a world").current();
        let asked = draw::asked().new_tree(&mut runner).expect("a request").current();
        all += 1;
        kept += u32::from(!reference::may(&world, &asked));
    }
    assert!((all / 5..all * 4 / 5).contains(&kept), "{kept} of {all} are kept out");
}

/// The sidecar's side of a pod in such a world.
fn door(world: &World) -> Door {
    let mut known = Known::nothing("cluster.local".parse().expect("a name"));
    known.pod("shop", "caller", &[("app", "cart")]);
    for policy in &world.policies {
        known.authorization_policy(policy);
    }
    Door::told(|kind, name| known.told("shop", kind, name)).expect("what control tells can be read")
}
