//! Installing and removing the rules, each in one transaction. All of it needs CAP_NET_ADMIN over the network namespace.

use std::path::Path;

use super::{
    difference::compare,
    error::{RedirectError, Step, explain},
    force::{TABLE, tables},
    protocol::{
        ACCEPT, BATCH_BEGIN, BATCH_END, CHAIN_HOOK, CHAIN_NAME, CHAIN_POLICY, CHAIN_TABLE, CHAIN_TYPE, DELETE_TABLE, HOOK_NUMBER,
        HOOK_PRIORITY, NEW_CHAIN, NEW_RULE, NEW_TABLE, RULE_CHAIN, RULE_EXPRESSIONS, RULE_TABLE, SUBSYSTEM, TABLE_NAME,
    },
    rules::{Action, Chain, Family, Layout, PRIORITY, Rule, Rules},
};
use crate::netlink::{ACK, APPEND, CREATE, Message, REQUEST, Socket};

/// What installing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The same rules were there already.
    None,
    /// They were put there.
    Installed,
}

/// Puts `rules` in force, replacing all earlier ones of ours in one step, and reads them back.
///
/// # Errors
/// They are not in force then; see [`RedirectError`].
pub fn install(rules: &Rules) -> Result<Change, RedirectError> {
    match verify(rules) {
        Ok(()) => return Ok(Change::None),
        Err(RedirectError::Differ(_)) => {}
        Err(error) => return Err(error),
    }
    match install_as(rules, Layout::Shared) {
        // Linux before 5.2 translates addresses in tables of one family only.
        Err(RedirectError::NoTranslation { .. }) => install_as(rules, Layout::Separate)?,
        installed => installed?,
    }
    Ok(Change::Installed)
}

/// The same in a given layout, and without looking first.
///
/// # Errors
/// They are not in force then; see [`RedirectError`].
pub fn install_as(rules: &Rules, layout: Layout) -> Result<(), RedirectError> {
    let mut batch = Batch::new();
    batch.delete_tables(&ours()?);
    for family in layout.families(has_ipv6()) {
        batch.delete_tables(&[*family]);
        batch.create_table(*family);
        for chain in rules.chains(*family) {
            batch.create_chain(*family, &chain);
        }
    }
    batch.transact()?;
    verify(rules)
}

/// Reads back what is in force and compares it with `rules`.
///
/// # Errors
/// [`RedirectError::Differ`] names the first difference.
pub fn verify(rules: &Rules) -> Result<(), RedirectError> {
    Ok(compare(rules, &tables()?, has_ipv6())?)
}

/// Removes our rules, if there are any.
///
/// # Errors
/// The kernel refused.
pub fn remove() -> Result<(), RedirectError> {
    let mut batch = Batch::new();
    batch.delete_tables(&ours()?);
    batch.transact()
}

fn ours() -> Result<Vec<Family>, RedirectError> {
    Ok(tables()?.into_iter().map(|table| table.family).collect())
}

fn has_ipv6() -> bool {
    Path::new("/proc/thread-self/net/if_inet6").exists()
}

/// Changes that happen together or not at all, and what each is for.
struct Batch {
    messages: Vec<Message>,
    steps: Vec<Step>,
}

impl Batch {
    fn new() -> Self {
        let begin = Message::new(BATCH_BEGIN, REQUEST, &header(0, SUBSYSTEM));
        Self { messages: vec![begin], steps: vec![Step::Talk] }
    }

    fn add(&mut self, step: Step, message: Message) {
        self.messages.push(message);
        self.steps.push(step);
    }

    /// Makes each table, so that it can be removed whether it was there or not, and removes it.
    fn delete_tables(&mut self, families: &[Family]) {
        for family in families {
            self.create_table(*family);
            self.add(Step::Table(family.word()), table(DELETE_TABLE, 0, *family));
        }
    }

    fn create_table(&mut self, family: Family) {
        self.add(Step::Table(family.word()), table(NEW_TABLE, CREATE, family));
    }

    fn create_chain(&mut self, family: Family, chain: &Chain) {
        self.add(Step::Chain(chain.name), new_chain(family, chain));
        for rule in &chain.rules {
            let step = if rule.then == Action::Pass { Step::Rule } else { Step::Redirect };
            self.add(step(rule.to_string()), new_rule(family, chain, rule));
        }
    }

    fn transact(mut self) -> Result<(), RedirectError> {
        if self.messages.len() == 1 {
            return Ok(());
        }
        self.add(Step::Talk, Message::new(BATCH_END, REQUEST, &header(0, SUBSYSTEM)));
        let sent = Socket::netfilter().and_then(|socket| socket.exchange(&self.messages));
        sent.map(drop).map_err(|refusal| {
            let index = usize::try_from(refusal.sequence).ok().and_then(|sequence| sequence.checked_sub(1));
            let step = index.and_then(|index| self.steps.get(index)).cloned();
            explain(refusal, &step.unwrap_or(Step::Talk))
        })
    }
}

/// `struct nfgenmsg`.
fn header(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

fn table(kind: u16, flags: u16, family: Family) -> Message {
    // These alone are acknowledged. Thousands of rules would bring thousands of acknowledgements, more than a socket may hold;
    // and a refusal comes whether asked for or not.
    let mut message = Message::new(kind, REQUEST | ACK | flags, &header(family.number(), 0));
    message.put_text(TABLE_NAME, TABLE);
    message
}

fn new_chain(family: Family, chain: &Chain) -> Message {
    let mut message = Message::new(NEW_CHAIN, REQUEST | CREATE, &header(family.number(), 0));
    message
        .put_text(CHAIN_TABLE, TABLE)
        .put_text(CHAIN_NAME, chain.name)
        .nest(CHAIN_HOOK, |hook| hook.put_be32(HOOK_NUMBER, chain.hook.number()).put(HOOK_PRIORITY, &PRIORITY.to_be_bytes()))
        .put_be32(CHAIN_POLICY, ACCEPT)
        .put_text(CHAIN_TYPE, "nat");
    message
}

fn new_rule(family: Family, chain: &Chain, rule: &Rule) -> Message {
    let mut message = Message::new(NEW_RULE, REQUEST | CREATE | APPEND, &header(family.number(), 0));
    message.put_text(RULE_TABLE, TABLE).put_text(RULE_CHAIN, chain.name);
    message.nest(RULE_EXPRESSIONS, |list| {
        rule.expressions().iter().for_each(|expression| expression.write(list));
        list
    });
    message
}
