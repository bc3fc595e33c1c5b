//! Installing, verifying, replacing and removing.

use std::net::SocketAddr;

use kernel::redirect::{self, Change, Difference, Layout, PortRange, RedirectError, Rules};

use crate::{
    Test, nftables,
    world::{OUTBOUND, VIRTUAL, connects, in_pod, listen, rules},
};

pub(crate) const TESTS: &[Test] = &[
    ("installing_twice_changes_nothing", installing_twice_changes_nothing),
    ("other_rules_replace_the_earlier_ones", other_rules_replace_the_earlier_ones),
    ("a_layout_replaces_the_other", a_layout_replaces_the_other),
    ("rules_for_thousands_of_ports_are_one_transaction", thousands_of_ports),
    ("a_rule_that_was_taken_away_is_named_and_put_back", a_rule_that_was_taken_away_is_named),
    ("a_rule_that_was_put_in_between_is_noticed", a_rule_that_was_put_in_between_is_noticed),
    ("a_table_that_was_switched_off_is_noticed", a_table_that_was_switched_off_is_noticed),
    ("removing_leaves_nothing_and_may_be_repeated", removing_leaves_nothing),
    ("tables_of_others_are_left_alone", tables_of_others_are_left_alone),
];

fn difference(rules: &Rules) -> Difference {
    match redirect::verify(rules).unwrap_err() {
        RedirectError::Differ(difference) => difference,
        error => panic!("another error: {error}"),
    }
}

fn captured() -> bool {
    let _proxy = listen(OUTBOUND, VIRTUAL[0]);
    connects(SocketAddr::from((VIRTUAL[0], 80)), None)
}

fn installing_twice_changes_nothing() {
    in_pod(|| {
        assert_eq!(difference(&rules()), Difference::NoTable { family: "inet" });
        assert_eq!(redirect::install(&rules()).unwrap(), Change::Installed);
        assert_eq!(redirect::install(&rules()).unwrap(), Change::None);
        // Even without looking first there is one copy afterwards.
        redirect::install_as(&rules(), Layout::Shared).unwrap();
        redirect::verify(&rules()).unwrap();
    });
}

fn other_rules_replace_the_earlier_ones() {
    in_pod(|| {
        redirect::install(&rules()).unwrap();
        let others = Rules { outbound_port: 18001, exempt_user: Some(7717), skip_inbound: Vec::new(), ..rules() };
        assert_eq!(redirect::install(&others).unwrap(), Change::Installed);
        redirect::verify(&others).unwrap();
        // What was first in the chain comes second now.
        let rule = String::from("meta mark 0x00007717 return");
        assert_eq!(difference(&rules()), Difference::MissingRule { chain: "inbound", rule: String::from("tcp dport 9 return") });
        let rules = Rules { skip_inbound: Vec::new(), ..rules() };
        assert_eq!(difference(&rules), Difference::ChangedRule { chain: "outbound", number: 1, rule });
    });
}

fn a_layout_replaces_the_other() {
    in_pod(|| {
        redirect::install_as(&rules(), Layout::Separate).unwrap();
        assert_eq!(redirect::install(&rules()).unwrap(), Change::None, "either will do");
        redirect::install_as(&rules(), Layout::Shared).unwrap();
        redirect::install_as(&rules(), Layout::Separate).unwrap();
        let others = Rules { outbound_port: 18001, ..rules() };
        assert_eq!(redirect::install(&others).unwrap(), Change::Installed);
        redirect::verify(&others).unwrap();
        redirect::remove().unwrap();
        assert!(!captured());
    });
}

fn thousands_of_ports() {
    in_pod(|| {
        let ports: Vec<PortRange> = (1..=3000).map(|port| PortRange { first: port * 10 + 2, last: port * 10 + 5 }).collect();
        let rules = Rules { skip_outbound: ports.clone(), skip_inbound: ports, ..rules() };
        redirect::install(&rules).unwrap();
        assert!(captured());
    });
}

fn a_rule_that_was_taken_away_is_named() {
    in_pod(|| {
        redirect::install(&rules()).unwrap();
        nftables::delete_rules("weft", "outbound");
        let rule = String::from("meta mark 0x00007717 return");
        assert_eq!(difference(&rules()), Difference::MissingRule { chain: "outbound", rule });
        assert!(!captured());
        assert_eq!(redirect::install(&rules()).unwrap(), Change::Installed);
        assert!(captured());
    });
}

fn a_rule_that_was_put_in_between_is_noticed() {
    in_pod(|| {
        redirect::install(&rules()).unwrap();
        nftables::prepend_empty_rule("weft", "inbound");
        assert_eq!(
            difference(&rules()),
            Difference::ChangedRule { chain: "inbound", number: 1, rule: String::from("iif \"lo\" return") }
        );
    });
}

fn a_table_that_was_switched_off_is_noticed() {
    in_pod(|| {
        redirect::install(&rules()).unwrap();
        nftables::switch_off("weft");
        assert!(!captured());
        assert_eq!(difference(&rules()), Difference::Dormant { family: "inet" });
        redirect::install(&rules()).unwrap();
        assert!(captured());
    });
}

fn removing_leaves_nothing() {
    in_pod(|| {
        redirect::install(&rules()).unwrap();
        redirect::remove().unwrap();
        redirect::remove().unwrap();
        assert_eq!(difference(&rules()), Difference::NoTable { family: "inet" });
        assert!(!captured());
    });
}

fn tables_of_others_are_left_alone() {
    in_pod(|| {
        nftables::create_table("weftless");
        redirect::install(&rules()).unwrap();
        redirect::verify(&rules()).unwrap();
        redirect::remove().unwrap();
        assert!(nftables::has_table("weftless"));
        assert!(!nftables::has_table("weft"));
    });
}
