//! Every lie of the app's is told on every way.

use serde_json::{Value, json};
use tests::{Mesh, manifests, script};

use crate::{
    answer::{Answer, read_answers},
    backends::{Way, server},
    case::SENTINEL,
    exchange::{self, APART, Came, LATER, PATIENT, Sequence, text},
    lies::{self, Asked, Lie, Must},
    report::Complaints,
};

#[test]
fn answers_through_two_sidecars_are_read_strictly() {
    try_all(Way::Mesh);
}

#[test]
fn answers_to_clients_outside_the_mesh_are_read_strictly() {
    try_all(Way::Inbound);
}

#[test]
fn answers_from_servers_outside_the_mesh_are_read_strictly() {
    try_all(Way::Outbound);
}

#[test]
fn the_lies_are_many_and_no_proxy_can_pass_by_refusing_everything() {
    let lies = lies::all();
    let good = lies.iter().filter(|lie| matches!(lie.must, Must::Pass(..) | Must::PassAndClose(..))).count();
    assert!(lies.len() >= 100 && good >= 30 && lies.len() - good >= 60, "{} answers, {good} of them good", lies.len());
}

fn try_all(way: Way) {
    let lies = lies::all();
    let scripted: Vec<Value> = lies.iter().map(scripted).collect();
    let answers = Value::from(scripted).to_string();
    let liar = server(way, "liar", &["python3", &script("smuggling/liar.py"), "8080", "answers"]);
    let mesh = Mesh::up_with(&manifests(&[liar, exchange::outside()]), &[("answers", &answers)]);
    mesh.ready("liar-0");
    let sequences: Vec<Sequence> = lies.iter().enumerate().map(|(number, lie)| sequence(number, lie)).collect();
    let told = exchange::send(&mesh, way, &sequences);
    let mut wrong = Complaints::default();
    for (number, lie) in lies.iter().enumerate() {
        let came = told.of("liar", number);
        let why = match came {
            [first, after @ ..] => judge(lie, first).err().into_iter().chain(after.iter().map(|came| came.end.clone())).collect(),
            [] => vec![String::from("nothing is known of it")],
        };
        wrong.add("liar", &lie.name, (&lie.bytes(), came), why);
    }
    wrong.report(way);
}

fn scripted(lie: &Lie) -> Value {
    json!({"pieces": lie.pieces.iter().map(|piece| text(piece)).collect::<Vec<_>>(), "close": lie.close})
}

/// The request that is answered so, and one whose answer must be its own.
fn sequence(number: usize, lie: &Lie) -> Sequence {
    let pieces = [lie.asked.request(&format!("/answer/{number}")), Asked::Get.request(SENTINEL)].map(String::into_bytes);
    // What the app adds a little later must find its connection idle: nobody could tell it from the next answer otherwise.
    let (pieces, pause) = if lie.pieces.len() > 1 { (pieces.to_vec(), LATER) } else { (vec![pieces.concat()], APART) };
    Sequence { services: vec!["liar"], pieces, pause, until: sentinel(), patience: PATIENT }
}

fn sentinel() -> String {
    format!("answer to GET {SENTINEL}\n")
}

fn judge(lie: &Lie, came: &Came) -> Result<(), String> {
    let ended = came.end == "closed";
    let answers =
        read_answers(&came.bytes, &[lie.asked.method(), "GET"], ended).map_err(|why| format!("the client got {why}"))?;
    let [first, rest @ ..] = &answers[..] else { return Err(format!("the client got nothing, and then: {}", came.end)) };
    let refused = || expect_refusal(lie, first, rest, came);
    match &lie.must {
        Must::Pass(status, body) => expect_answer(*status, body, first, rest),
        Must::PassAndClose(status, body) => expect_last_answer(lie, (*status, body), first, rest, came),
        Must::PassOrRefuse(status, body) => expect_answer(*status, body, first, rest)
            .or_else(|passed| refused().map_err(|refused| format!("neither passed ({passed}) nor refused ({refused})"))),
        Must::Refuse => refused(),
        Must::BreakOff if !first.whole && rest.is_empty() && matches!(came.end.as_str(), "closed" | "reset") => Ok(()),
        Must::BreakOff => refused(),
    }
}

/// This answer, and then the marker's own.
fn expect_answer(status: u16, body: &[u8], first: &Answer, rest: &[Answer]) -> Result<(), String> {
    if first.status != status || first.body != body || !first.whole {
        return Err(format!("the client read {}, not {status} {:?}", shown(first), body.escape_ascii().to_string()));
    }
    match rest {
        [marker] if is_marker(marker) => Ok(()),
        other => Err(format!("the next request was answered with [{}]", other.iter().map(shown).collect::<Vec<_>>().join(", "))),
    }
}

/// This answer, and then the end. In HTTP/1.0 there are neither chunks nor interim answers.
fn expect_last_answer(
    lie: &Lie,
    (status, body): (u16, &[u8]),
    first: &Answer,
    rest: &[Answer],
    came: &Came,
) -> Result<(), String> {
    let modern = first.field("transfer-encoding").is_some() || came.bytes.windows(5).any(|five| five == b" 103 ");
    if lie.asked == Asked::Old && modern {
        return Err(String::from("the client got what HTTP/1.0 does not know"));
    }
    if first.status != status || first.body != body || !first.whole || !rest.is_empty() || came.end != "closed" {
        return Err(format!("the client read {} and {} more, and then: {}", shown(first), rest.len(), came.end));
    }
    Ok(())
}

/// A refusal, and then the marker's own answer or the end.
fn expect_refusal(lie: &Lie, first: &Answer, rest: &[Answer], came: &Came) -> Result<(), String> {
    let reason = first.field("weft-reason").unwrap_or("none");
    if first.status != 502 || !(reason == "bad_response" || (lie.close && reason == "server_aborted")) {
        return Err(format!("the client read {} with the reason {reason}", shown(first)));
    }
    match rest {
        [] if matches!(came.end.as_str(), "closed" | "reset") => Ok(()),
        [marker] if is_marker(marker) => Ok(()),
        other => Err(format!("the next request was answered with [{}]", other.iter().map(shown).collect::<Vec<_>>().join(", "))),
    }
}

fn is_marker(answer: &Answer) -> bool {
    answer.status == 200 && answer.whole && answer.body == sentinel().as_bytes()
}

fn shown(answer: &Answer) -> String {
    let body: String = answer.body.escape_ascii().to_string().chars().take(80).collect();
    format!("{} {body:?}{}", answer.status, if answer.whole { "" } else { " broken off" })
}
