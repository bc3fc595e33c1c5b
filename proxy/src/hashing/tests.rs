//! What both tables promise, by counting keys.

use super::*;

const KEYS: u64 = 100_000;

type Make = fn(&[String]) -> Table;

const TABLES: [(&str, Make); 2] = [
    ("ring", |names| Table::Ring(Ring::of(names.iter().map(String::as_bytes)))),
    ("maglev", |names| Table::Maglev(Maglev::of(names.iter().map(String::as_bytes)))),
];

fn names(members: usize) -> Vec<String> {
    (0..members).map(|number| format!("10.77.{}.{}:80", number / 256, number % 256)).collect()
}

fn owner(table: &Table, key: u64) -> usize {
    table.order(hash(&key.to_be_bytes())).next().unwrap()
}

#[test]
fn parts_are_about_even() {
    for (kind, make) in TABLES {
        // A ring's parts are as even as its points are many.
        let slack = if kind == "ring" { 0.35 } else { 0.1 };
        let mut counts = [0_u32; 10];
        let table = make(&names(10));
        (0..KEYS).for_each(|key| counts[owner(&table, key)] += 1);
        let even = f64::from(10_000);
        assert!(counts.iter().all(|count| (f64::from(*count) - even).abs() < slack * even), "{kind}: {counts:?}");
    }
}

#[test]
fn when_one_of_many_leaves_few_keys_move_beside_its_own() {
    for (kind, make) in TABLES {
        for members in [5, 20, 100] {
            let before = names(members);
            let mut after = before.clone();
            let gone = after.remove(members / 2);
            let (old, new) = (make(&before), make(&after));
            let (mut own, mut others) = (0_u32, 0_u32);
            for key in 0..KEYS {
                let (was, is) = (&before[owner(&old, key)], &after[owner(&new, key)]);
                match was == &gone {
                    true => own += 1,
                    false if was != is => others += 1,
                    false => {}
                }
            }
            let share = f64::from(others) / f64::from(u32::try_from(KEYS).unwrap());
            let bound = if kind == "ring" { 0.0 } else { 0.02 };
            assert!(share <= bound, "{kind}, 1 of {members} leaves: {own} keys were its own, and {others} others moved");
        }
    }
}

#[test]
fn all_come_up_for_any_key_sooner_or_later_and_nobody_in_a_table_of_nobody() {
    for (kind, make) in TABLES {
        let table = make(&names(7));
        let mut met: Vec<usize> = table.order(hash(b"key")).collect();
        met.sort_unstable();
        met.dedup();
        assert_eq!(met, [0, 1, 2, 3, 4, 5, 6], "{kind}");
        assert_eq!(make(&[]).order(7).next(), None, "{kind}");
    }
}

#[test]
fn the_order_in_which_members_are_told_changes_nothing_much() {
    // What one proxy hears of first, another hears of last: a ring does not care, and Maglev's turns only a little.
    for (kind, make) in TABLES {
        let told = names(20);
        let turned: Vec<String> = told.iter().rev().cloned().collect();
        let (one, other) = (make(&told), make(&turned));
        let same = (0..KEYS).filter(|key| told[owner(&one, *key)] == turned[owner(&other, *key)]).count();
        let least = if kind == "ring" { 99_900 } else { 90_000 };
        assert!(same >= least, "{kind}: {same}");
    }
}
