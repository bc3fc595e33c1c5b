//! Installing, reading back and removing the rules. All of it needs CAP_NET_ADMIN over the network namespace.

use std::io;

use super::{
    expression::Expression,
    rules::{Chain, Hook, Rule, Rules},
};
use crate::netlink::{ACK, APPEND, CREATE, DUMP, Message, REQUEST, Reply, Socket, attributes, find};

/// Name of our table. It is ours alone, so that nobody else's rules are ever touched.
pub(super) const TABLE: &str = "weft";

/// `NFPROTO_INET`: one table for both families. Linux 5.2 and later translate addresses in it.
const INET: u8 = 1;

/// `NFNL_SUBSYS_NFTABLES`, in the high byte of a message type.
const SUBSYSTEM: u16 = 10 << 8;
const NEW_TABLE: u16 = SUBSYSTEM;
const DELETE_TABLE: u16 = SUBSYSTEM | 2;
const NEW_CHAIN: u16 = SUBSYSTEM | 3;
const NEW_RULE: u16 = SUBSYSTEM | 6;
const GET_RULE: u16 = SUBSYSTEM | 7;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;

/// Table, chain and rule attributes.
const TABLE_NAME: u16 = 1;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;

/// `NF_IP_PRI_NAT_DST`.
const PRIORITY: i32 = -100;

/// What installing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The same rules were there already.
    None,
    /// They were put there.
    Installed,
}

/// Why rules are not in force.
#[derive(Debug, thiserror::Error)]
pub enum RedirectError {
    /// CAP_NET_ADMIN is missing.
    #[error(
        "redirect rules need the capability NET_ADMIN over this network namespace (in a pod: securityContext.capabilities.add of the init container)"
    )]
    NotAllowed,
    /// The kernel cannot do it.
    #[error(
        "this kernel has no nf_tables with address translation in the inet family (Linux 5.2 or later with NF_TABLES_INET, NFT_NAT and NFT_REDIR): {0}. Feed `weft-proxy init --dry-run=iptables` to iptables-restore instead"
    )]
    NotSupported(io::Error),
    /// Anything else the kernel said.
    #[error("nf_tables: {0}")]
    Kernel(#[from] io::Error),
    /// What is in force is not what was asked for.
    #[error("the rules in force differ: {0}")]
    Differ(String),
}

/// Puts `rules` in force, replacing all earlier ones of ours in one step, and reads them back.
///
/// # Errors
/// They are not in force then; see [`RedirectError`].
pub fn install(rules: &Rules) -> Result<Change, RedirectError> {
    if verify(rules).is_ok() {
        return Ok(Change::None);
    }
    let chains = rules.chains();
    // Made, so that it can be removed whether it was there or not, and made again: one transaction, no moment without rules.
    let mut batch = vec![begin(), table(NEW_TABLE, CREATE), table(DELETE_TABLE, 0), table(NEW_TABLE, CREATE)];
    for chain in &chains {
        batch.push(new_chain(chain));
        batch.extend(chain.rules.iter().map(|rule| new_rule(chain, rule)));
    }
    batch.push(end());
    transact(&batch)?;
    verify(rules)?;
    Ok(Change::Installed)
}

/// Reads back what is in force and compares it with `rules`.
///
/// # Errors
/// [`RedirectError::Differ`] names the first difference.
pub fn verify(rules: &Rules) -> Result<(), RedirectError> {
    let found = read_rules()?;
    for chain in rules.chains() {
        let found: Vec<_> = found.iter().filter(|rule| rule.chain == chain.name).collect();
        for (index, expected) in chain.rules.iter().enumerate() {
            match found.get(index) {
                Some(found) if found.expressions.as_ref() == Some(&expected.expressions) => {}
                Some(_) => {
                    return Err(RedirectError::Differ(format!(
                        "rule {} of the chain {} should be `{}`",
                        index + 1,
                        chain.name,
                        expected.text
                    )));
                }
                None => return Err(RedirectError::Differ(format!("the chain {} has no rule `{}`", chain.name, expected.text))),
            }
        }
        if found.len() > chain.rules.len() {
            let more = found.len() - chain.rules.len();
            return Err(RedirectError::Differ(format!("the chain {} has {more} rules more than it should", chain.name)));
        }
    }
    Ok(())
}

/// Removes our rules, if there are any.
///
/// # Errors
/// The kernel refused.
pub fn remove() -> Result<(), RedirectError> {
    transact(&[begin(), table(NEW_TABLE, CREATE), table(DELETE_TABLE, 0), end()])
}

/// A rule as the kernel tells it; `None` for expressions we would never write.
struct Found {
    chain: String,
    expressions: Option<Vec<Expression>>,
}

fn read_rules() -> Result<Vec<Found>, RedirectError> {
    let mut message = Message::new(GET_RULE, REQUEST | DUMP, &family(INET, 0));
    message.put_text(RULE_TABLE, TABLE);
    let replies = Socket::netfilter()?.exchange(&[message]);
    let replies = match replies {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        replies => replies.map_err(explained)?,
    };
    Ok(replies.iter().filter(|reply| reply.kind == NEW_RULE).filter_map(read_rule).collect())
}

fn read_rule(reply: &Reply) -> Option<Found> {
    let body = reply.body.get(4..)?;
    let name = |kind| find(body, kind).map(|name| String::from_utf8_lossy(name.strip_suffix(&[0]).unwrap_or(name)).into_owned());
    if name(RULE_TABLE)? != TABLE {
        return None;
    }
    let expressions = find(body, RULE_EXPRESSIONS)?;
    let expressions = attributes(expressions).map(|element| Expression::read(element.value)).collect();
    Some(Found { chain: name(RULE_CHAIN)?, expressions })
}

fn transact(batch: &[Message]) -> Result<(), RedirectError> {
    Socket::netfilter()?.exchange(batch).map(drop).map_err(explained)
}

fn explained(error: io::Error) -> RedirectError {
    use io::ErrorKind::{InvalidInput, NotFound, PermissionDenied, Unsupported};
    match error.kind() {
        PermissionDenied => RedirectError::NotAllowed,
        // How a kernel without one of the parts answers: EOPNOTSUPP, EPROTONOSUPPORT, ENOENT, EINVAL.
        Unsupported | NotFound | InvalidInput => RedirectError::NotSupported(error),
        _ => RedirectError::Kernel(error),
    }
}

/// `struct nfgenmsg`.
fn family(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

fn begin() -> Message {
    Message::new(BATCH_BEGIN, REQUEST, &family(0, SUBSYSTEM >> 8))
}

fn end() -> Message {
    Message::new(BATCH_END, REQUEST, &family(0, SUBSYSTEM >> 8))
}

fn table(kind: u16, flags: u16) -> Message {
    let mut message = Message::new(kind, REQUEST | ACK | flags, &family(INET, 0));
    message.put_text(TABLE_NAME, TABLE);
    message
}

fn new_chain(chain: &Chain) -> Message {
    let hook = match chain.hook {
        Hook::Prerouting => 0,
        Hook::Output => 3,
    };
    let mut message = Message::new(NEW_CHAIN, REQUEST | ACK | CREATE, &family(INET, 0));
    message
        .put_text(CHAIN_TABLE, TABLE)
        .put_text(CHAIN_NAME, chain.name)
        .nest(CHAIN_HOOK, |nested| nested.put_be32(HOOK_NUMBER, hook).put(HOOK_PRIORITY, &PRIORITY.to_be_bytes()));
    message.put_text(CHAIN_TYPE, "nat");
    message
}

fn new_rule(chain: &Chain, rule: &Rule) -> Message {
    let mut message = Message::new(NEW_RULE, REQUEST | ACK | CREATE | APPEND, &family(INET, 0));
    message.put_text(RULE_TABLE, TABLE).put_text(RULE_CHAIN, chain.name);
    message.nest(RULE_EXPRESSIONS, |list| {
        rule.expressions.iter().for_each(|expression| expression.write(list));
        list
    });
    message
}
