//! What is in force against what should be. Pure.

use super::{
    force::{Chain as Found, Place, Table},
    rules::{Chain, Layout, PRIORITY, Rules},
};

/// The first thing that is not as it should be. Rules are told as nft(8) writes them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// A table is missing, and with it everything.
    #[error("there is no table `{family} weft`")]
    NoTable {
        /// Its family.
        family: &'static str,
    },
    /// A table is there that should not be.
    #[error("there is a second table, `{family} weft`")]
    SecondTable {
        /// Its family.
        family: &'static str,
    },
    /// A table is switched off.
    #[error("the table `{family} weft` is switched off (dormant)")]
    Dormant {
        /// Its family.
        family: &'static str,
    },
    /// A chain is missing.
    #[error("there is no chain {chain}")]
    NoChain {
        /// Its name.
        chain: &'static str,
    },
    /// A chain hangs elsewhere or nowhere, or drops what it does not redirect.
    #[error("the chain {chain} should be `type nat hook {hook} priority {PRIORITY}; policy accept`")]
    Misplaced {
        /// Its name.
        chain: &'static str,
        /// Where it should hang.
        hook: String,
    },
    /// A chain is there that should not be.
    #[error("there is a chain {chain} that is not ours")]
    ForeignChain {
        /// Its name.
        chain: String,
    },
    /// A rule is missing.
    #[error("the chain {chain} lacks the rule `{rule}`")]
    MissingRule {
        /// Its chain.
        chain: &'static str,
        /// The rule.
        rule: String,
    },
    /// Another rule stands in a rule's place.
    #[error("rule {number} of the chain {chain} should be `{rule}`")]
    ChangedRule {
        /// Its chain.
        chain: &'static str,
        /// Its place, from 1.
        number: usize,
        /// What it should be.
        rule: String,
    },
    /// A chain goes on after its last rule.
    #[error("the chain {chain} has {more} more rules than it should")]
    MoreRules {
        /// Its name.
        chain: &'static str,
        /// How many.
        more: usize,
    },
}

/// How `tables` differ from `rules`; `ipv6` tells whether this kernel has IPv6. Either layout will do.
pub(super) fn compare(rules: &Rules, tables: &[Table], ipv6: bool) -> Result<(), Difference> {
    let separate = Layout::Separate.families(ipv6);
    let layout = match tables.first() {
        Some(table) if separate.contains(&table.family) => separate,
        _ => Layout::Shared.families(ipv6),
    };
    if let Some(second) = tables.iter().find(|table| !layout.contains(&table.family)) {
        return Err(Difference::SecondTable { family: second.family.word() });
    }
    for family in layout {
        let table = tables.iter().find(|table| table.family == *family).ok_or(Difference::NoTable { family: family.word() })?;
        compare_table(&rules.chains(*family), table)?;
    }
    Ok(())
}

fn compare_table(expected: &[Chain], table: &Table) -> Result<(), Difference> {
    if table.dormant {
        return Err(Difference::Dormant { family: table.family.word() });
    }
    for chain in expected {
        let found =
            table.chains.iter().find(|found| found.name == chain.name).ok_or(Difference::NoChain { chain: chain.name })?;
        compare_place(chain, found.place.as_ref())?;
        compare_rules(chain, found)?;
    }
    let foreign = table.chains.iter().find(|found| expected.iter().all(|chain| chain.name != found.name));
    foreign.map_or(Ok(()), |foreign| Err(Difference::ForeignChain { chain: foreign.name.clone() }))
}

fn compare_place(chain: &Chain, found: Option<&Place>) -> Result<(), Difference> {
    let right = found.is_some_and(|place| {
        place.purpose == "nat" && place.hook == chain.hook.number() && place.priority == PRIORITY && place.accepts
    });
    if right { Ok(()) } else { Err(Difference::Misplaced { chain: chain.name, hook: chain.hook.to_string() }) }
}

fn compare_rules(chain: &Chain, found: &Found) -> Result<(), Difference> {
    let expected: Vec<_> = chain.rules.iter().map(|rule| Some(rule.expressions())).collect();
    let wrong = expected.iter().enumerate().find(|(index, rule)| found.rules.get(*index) != Some(*rule));
    let Some((index, _)) = wrong else {
        let more = found.rules.len() - expected.len();
        return if more == 0 { Ok(()) } else { Err(Difference::MoreRules { chain: chain.name, more }) };
    };
    let rule = chain.rules[index].to_string();
    // If the next one stands here, or nothing does, this one is gone.
    let gone = found.rules.get(index).is_none_or(|here| expected.get(index + 1) == Some(here));
    Err(if gone {
        Difference::MissingRule { chain: chain.name, rule }
    } else {
        Difference::ChangedRule { chain: chain.name, number: index + 1, rule }
    })
}

#[cfg(test)]
mod tests {
    use super::{super::rules::Family, *};

    fn rules() -> Rules {
        Rules {
            outbound_port: 17001,
            inbound_port: 17002,
            exempt_user: Some(7717),
            exempt_mark: None,
            skip_inbound: Vec::new(),
            skip_outbound: Vec::new(),
            skip_subnets: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
        }
    }

    /// As the kernel would tell it if all were well.
    fn table(family: Family) -> Table {
        let chains = rules().chains(family).map(|chain| Found {
            name: chain.name.to_owned(),
            place: Some(Place { purpose: String::from("nat"), hook: chain.hook.number(), priority: PRIORITY, accepts: true }),
            rules: chain.rules.iter().map(|rule| Some(rule.expressions())).collect(),
        });
        Table { family, dormant: false, chains: chains.to_vec() }
    }

    /// What is said when one thing is different; chain 0 is `inbound`, chain 1 `outbound`.
    fn when(change: impl FnOnce(&mut Table)) -> String {
        let mut table = table(Family::Inet);
        change(&mut table);
        compare(&rules(), &[table], true).unwrap_err().to_string()
    }

    #[test]
    fn rules_in_force_in_either_layout_do_not_differ() {
        compare(&rules(), &[table(Family::Inet)], true).unwrap();
        compare(&rules(), &[table(Family::V4), table(Family::V6)], true).unwrap();
        compare(&rules(), &[table(Family::V4)], false).unwrap();
    }

    #[test]
    fn missing_and_surplus_tables_are_named() {
        let said = |tables: &[Table]| compare(&rules(), tables, true).unwrap_err().to_string();
        assert_eq!(said(&[]), "there is no table `inet weft`");
        assert_eq!(said(&[table(Family::V4)]), "there is no table `ip6 weft`");
        assert_eq!(said(&[table(Family::V6)]), "there is no table `ip weft`");
        assert_eq!(said(&[table(Family::Inet), table(Family::V4)]), "there is a second table, `ip weft`");
        assert_eq!(said(&[table(Family::V4), table(Family::Inet)]), "there is a second table, `inet weft`");
    }

    #[test]
    fn a_table_that_is_switched_off_is_not_in_force() {
        assert_eq!(when(|table| table.dormant = true), "the table `inet weft` is switched off (dormant)");
    }

    #[test]
    fn a_chain_must_hang_where_it_belongs() {
        let expected = "the chain outbound should be `type nat hook output priority -100; policy accept`";
        assert_eq!(when(|table| table.chains[1].place = None), expected);
        let changes: [fn(&mut Place); 4] = [
            |place| place.purpose = String::from("filter"),
            |place| place.hook = 4,
            |place| place.priority = 0,
            |place| place.accepts = false,
        ];
        for change in changes {
            assert_eq!(when(|table| table.chains[1].place.as_mut().into_iter().for_each(change)), expected);
        }
    }

    #[test]
    fn a_missing_or_foreign_chain_is_named() {
        assert_eq!(when(|table| drop(table.chains.remove(0))), "there is no chain inbound");
        let foreign = Found { name: String::from("detour"), place: None, rules: Vec::new() };
        assert_eq!(when(|table| table.chains.push(foreign)), "there is a chain detour that is not ours");
    }

    #[test]
    fn the_rule_that_is_gone_is_named() {
        assert_eq!(
            when(|table| drop(table.chains[1].rules.remove(0))),
            "the chain outbound lacks the rule `meta skuid 7717 return`"
        );
        let last = when(|table| drop(table.chains[0].rules.pop()));
        assert_eq!(last, "the chain inbound lacks the rule `meta l4proto tcp redirect to :17002`");
        let all = when(|table| table.chains[0].rules.clear());
        assert_eq!(all, "the chain inbound lacks the rule `iif \"lo\" return`");
    }

    #[test]
    fn the_rule_that_was_changed_is_named_whatever_it_is_now() {
        let expected = "rule 2 of the chain outbound should be `oif \"lo\" return`";
        assert_eq!(when(|table| table.chains[1].rules[1] = None), expected);
        assert_eq!(when(|table| table.chains[1].rules.insert(1, Some(Vec::new()))), expected);
    }

    #[test]
    fn rules_after_the_last_one_are_counted() {
        assert_eq!(when(|table| table.chains[1].rules.push(None)), "the chain outbound has 1 more rules than it should");
    }
}
