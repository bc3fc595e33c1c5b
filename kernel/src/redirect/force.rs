//! Reading back what is in force.

use super::{
    error::{RedirectError, Step, explain},
    expression::Expression,
    protocol::{
        ACCEPT, CHAIN_HOOK, CHAIN_NAME, CHAIN_POLICY, CHAIN_TABLE, CHAIN_TYPE, DORMANT, GET_CHAIN, GET_RULE, GET_TABLE,
        HOOK_NUMBER, HOOK_PRIORITY, NEW_CHAIN, NEW_RULE, NEW_TABLE, RULE_CHAIN, RULE_EXPRESSIONS, RULE_TABLE, TABLE_FLAGS,
        TABLE_NAME,
    },
    rules::Family,
};
use crate::netlink::{DUMP, Message, REQUEST, Reply, Socket, attributes, find, number_be, text};

/// Name of our tables. They are ours alone, so that nobody else's rules are ever touched.
pub(super) const TABLE: &str = "weft";

/// A table of ours as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) family: Family,
    /// Whether it is switched off.
    pub(super) dormant: bool,
    pub(super) chains: Vec<Chain>,
}

/// A chain as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) name: String,
    /// Where it hangs; `None` if nowhere.
    pub(super) place: Option<Place>,
    /// Its rules in order; `None` for one with expressions that we would never write.
    pub(super) rules: Vec<Option<Vec<Expression>>>,
}

/// Where a chain hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// What it may do there.
    pub(super) purpose: String,
    pub(super) hook: u32,
    pub(super) priority: i32,
    /// Whether it accepts what its rules do not decide.
    pub(super) accepts: bool,
}

/// The tables of ours in the calling thread's network namespace.
pub(super) fn tables() -> Result<Vec<Table>, RedirectError> {
    let mut tables: Vec<Table> = dump(GET_TABLE, 0, NEW_TABLE)?.iter().filter_map(table).collect();
    for table in &mut tables {
        let family = table.family.number();
        table.chains = dump(GET_CHAIN, family, NEW_CHAIN)?.iter().filter_map(chain).collect();
        for (name, rule) in dump(GET_RULE, family, NEW_RULE)?.iter().filter_map(rule) {
            table.chains.iter_mut().filter(|chain| chain.name == name).for_each(|chain| chain.rules.push(rule.clone()));
        }
    }
    Ok(tables)
}

/// Everything of a kind in the tables of a family; 0 is every family.
fn dump(get: u16, family: u8, kind: u16) -> Result<Vec<Reply>, RedirectError> {
    let mut request = Message::new(get, REQUEST | DUMP, &[family, 0, 0, 0]);
    if get == GET_RULE {
        // Spares others' thousands of rules. The kernel stops at the first table of that name, so it is asked family by family.
        request.put_text(RULE_TABLE, TABLE);
    }
    let replies = Socket::netfilter().and_then(|socket| socket.dump(&request));
    let mut replies = replies.map_err(|refusal| explain(refusal, &Step::Talk))?;
    replies.retain(|reply| reply.kind == kind);
    Ok(replies)
}

/// The family, and everything behind `struct nfgenmsg`.
fn opened(reply: &Reply) -> Option<(Family, &[u8])> {
    let ([family, _, _, _], body) = reply.body.split_first_chunk::<4>()?;
    Some((Family::ALL.into_iter().find(|known| known.number() == *family)?, body))
}

fn table(reply: &Reply) -> Option<Table> {
    let (family, body) = opened(reply)?;
    let flags = find(body, TABLE_FLAGS).and_then(number_be).unwrap_or(0);
    (text(find(body, TABLE_NAME)?) == TABLE).then_some(Table { family, dormant: flags & DORMANT != 0, chains: Vec::new() })
}

fn chain(reply: &Reply) -> Option<Chain> {
    let (_, body) = opened(reply)?;
    let name = text(find(body, CHAIN_NAME)?);
    (text(find(body, CHAIN_TABLE)?) == TABLE).then(|| Chain { name, place: place(body), rules: Vec::new() })
}

fn place(chain: &[u8]) -> Option<Place> {
    let hook = find(chain, CHAIN_HOOK)?;
    Some(Place {
        purpose: text(find(chain, CHAIN_TYPE)?),
        hook: find(hook, HOOK_NUMBER).and_then(number_be)?,
        priority: find(hook, HOOK_PRIORITY).and_then(number_be)?.cast_signed(),
        accepts: find(chain, CHAIN_POLICY).and_then(number_be) == Some(ACCEPT),
    })
}

/// The chain's name, and the rule.
fn rule(reply: &Reply) -> Option<(String, Option<Vec<Expression>>)> {
    let (_, body) = opened(reply)?;
    if text(find(body, RULE_TABLE)?) != TABLE {
        return None;
    }
    // A rule may be empty: it matches everything and does nothing.
    let expressions = find(body, RULE_EXPRESSIONS).unwrap_or_default();
    let expressions = attributes(expressions).map(|element| Expression::read(element.value)).collect();
    Some((text(find(body, RULE_CHAIN)?), expressions))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_answer_makes_us_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let reply = Reply { kind: NEW_RULE, body };
            let _ = (table(&reply), chain(&reply), rule(&reply));
        }
    }
}
