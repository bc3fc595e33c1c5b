//! Whether what must become of a case did: at the client, and at every backend.

use crate::{
    answer::{Answer, read_answers},
    backends::Seen,
    case::{Case, Must, Read, SENTINEL, read},
    exchange::Came,
};

/// Statuses with which a proxy may refuse a request.
const REFUSED: [u16; 8] = [400, 413, 414, 415, 417, 431, 501, 505];

/// What is wrong with the outcome of `case` at one backend. The first that `came` is the answer to it; the others tell what
/// became of innocent requests after it.
pub fn complaints(case: &Case, came: &[Came], seen: Option<&Seen>) -> Vec<String> {
    let (Some(first), Some(seen)) = (came.first(), seen) else { return vec![String::from("nothing is known of it")] };
    let mut wrong: Vec<String> = seen.malformed.iter().map(|why| format!("the proxy sent the backend {why}")).collect();
    wrong.extend(outcome(case, first, seen).err());
    wrong.extend(came[1..].iter().map(|came| came.end.clone()));
    wrong
}

fn outcome(case: &Case, came: &Came, seen: &Seen) -> Result<(), String> {
    match &case.must {
        Must::Pass(reads) => passed(&[&reads[..], &[marker()]].concat(), "answered", came, seen),
        Must::PassAndClose(reads) => passed(reads, "closed", came, seen),
        Must::PassOrRefuse(reads) => {
            let refused = refused_after(&[], 1, came, seen);
            let passed = passed(&[&reads[..], &[marker()]].concat(), "answered", came, seen);
            passed.or_else(|passed| refused.map_err(|refused| format!("neither passed ({passed}) nor refused ({refused})")))
        }
        Must::RefuseAfter(reads) => refused_after(reads, 0, came, seen),
        Must::BreakOff => refused_after(&[], 1, came, seen),
        Must::Wait => {
            expect_reads(&[], seen)?;
            if came.bytes.windows(4).any(|four| four == b" 200") { Err(String::from("it was answered")) } else { Ok(()) }
        }
    }
}

fn marker() -> Read {
    read("GET", SENTINEL, "")
}

fn passed(reads: &[Read], end: &str, came: &Came, seen: &Seen) -> Result<(), String> {
    expect_reads(reads, seen)?;
    let methods: Vec<&str> = reads.iter().map(|read| read.method.as_str()).collect();
    let answers = read_answers(&came.bytes, &methods, came.end == "closed").map_err(|why| format!("the client got {why}"))?;
    expect_answers(reads, &answers)?;
    if answers.len() == reads.len() && came.end == end {
        return Ok(());
    }
    Err(format!("the client got {} answers to {} requests, and then: {}", answers.len(), reads.len(), came.end))
}

/// These requests pass, and then comes a refusal. `broken` requests may have begun to reach the backend.
fn refused_after(reads: &[Read], broken: usize, came: &Came, seen: &Seen) -> Result<(), String> {
    expect_reads(reads, seen)?;
    if seen.begun > reads.len() + broken {
        return Err(String::from("the head of a malformed request reached the backend"));
    }
    let methods: Vec<&str> = reads.iter().map(|read| read.method.as_str()).collect();
    let ended = matches!(came.end.as_str(), "closed" | "reset");
    let answers = read_answers(&came.bytes, &methods, ended).map_err(|why| format!("the client got {why}"))?;
    expect_answers(reads, &answers)?;
    match &answers[reads.len().min(answers.len())..] {
        [refusal] if !REFUSED.contains(&refusal.status) => Err(format!("it is answered with {}", refusal.status)),
        [refusal] if !refusal.refuses(reason(refusal.status)) => {
            Err(format!("the refusal lacks `weft-reason` or `close`: {refusal:?}"))
        }
        [_] if ended => Ok(()),
        [_] => Err(String::from("the connection stays open after the refusal")),
        other => Err(format!("{} answers instead of a refusal, and then: {}", other.len(), came.end)),
    }
}

/// What a request is refused for with this status.
fn reason(status: u16) -> &'static str {
    if matches!(status, 414 | 431) { "too_large" } else { "bad_request" }
}

fn expect_reads(expected: &[Read], seen: &Seen) -> Result<(), String> {
    if seen.reads == expected {
        return Ok(());
    }
    let short = |reads: &[Read]| reads.iter().map(shown).collect::<Vec<_>>().join(", ");
    Err(format!("it read [{}], not [{}]", short(&seen.reads), short(expected)))
}

fn shown(read: &Read) -> String {
    let Read { method, target, host, body } = read;
    let target: String = target.chars().take(40).collect();
    let start: String = body.chars().take(40).collect();
    format!("{method} {target} at {host} with {} {start:?}", body.len())
}

/// Each answer repeats the request that it answers.
fn expect_answers(reads: &[Read], answers: &[Answer]) -> Result<(), String> {
    for (read, answer) in reads.iter().zip(answers) {
        if answer.status != 200 || !answer.whole || (read.method != "HEAD" && !repeats(&answer.body, read)) {
            let body: String = answer.body.escape_ascii().to_string().chars().take(100).collect();
            return Err(format!("{} {} is answered with {} {body:?}", read.method, read.target, answer.status));
        }
    }
    Ok(())
}

fn repeats(body: &[u8], read: &Read) -> bool {
    let text = String::from_utf8_lossy(body);
    let request = text.strip_prefix("answer to ").and_then(|rest| rest.trim_end().split_once(' '));
    request.is_some_and(|(method, target)| method == read.method && Read::new(method, target, "", "").target == read.target)
}
