//! Streams that somebody gives up on: nothing of them stays behind, and nobody waits for them.

use std::task::Poll;

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body::Body;

use super::{
    super::{
        Code, Ours,
        core::{Conn, Leaving},
        frame::{HEAD, Head, kind, put_reset},
    },
    OURS, answered, asked, look,
    pair::{End, Pair},
};
use crate::payload::Payload;

/// More than a window, and less than one.
const MUCH: usize = 200_000;
const SOME: usize = 30_000;

fn pair() -> Pair {
    Pair::new(OURS, OURS)
}

fn zeros(length: usize) -> Bytes {
    vec![0; length].into()
}

fn assert_window_is_whole(conn: &Conn) {
    let core = conn.borrow();
    assert_eq!(core.receive_window + i64::from(core.taken), i64::from(core.ours.connection_window));
}

/// The kinds and flags of whole frames.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u8, u32)> {
    let mut frames = Vec::new();
    while let Some(head) = Head::read(bytes) {
        frames.push((head.kind, head.flags, head.stream));
        bytes = &bytes[HEAD + usize::try_from(head.length).expect("small")..];
    }
    frames
}

#[test]
fn what_came_on_a_stream_that_nobody_began_is_given_back() {
    let mut pair = pair();
    let (_receive, send) = pair.client.open(&asked(), false).unwrap();
    send.send(zeros(SOME), false).unwrap();
    send.reset(Code::CANCEL);
    pair.settle();
    assert!(pair.server.next().is_none());
    assert_window_is_whole(&pair.server.conn);
}

#[test]
fn a_piece_that_was_taken_and_never_released_is_given_back() {
    let mut pair = pair();
    let (_receive, send) = pair.client.open(&asked(), false).unwrap();
    send.send(zeros(SOME), false).unwrap();
    pair.settle();
    let (_, receive, _send) = pair.server.next().unwrap();
    assert!(matches!(receive.poll_data(&look()), Poll::Ready(Some(Ok(_)))));
    drop(receive);
    assert_window_is_whole(&pair.server.conn);
}

#[test]
fn nothing_follows_a_reset() {
    let pair = pair();
    let (_receive, greedy) = pair.client.open(&asked(), false).unwrap();
    greedy.send(zeros(MUCH), false).unwrap();
    for trailers in [false, true] {
        let (_receive, send) = pair.client.open(&asked(), false).unwrap();
        // The connection's window is used up: it stands in line with its end.
        send.send(zeros(10), !trailers).unwrap();
        if trailers {
            send.send_trailers(HeaderMap::new()).unwrap();
        }
        pair.client.say(usize::MAX);
        send.reset(Code::CANCEL);
        let said = frames(&pair.client.say(usize::MAX));
        assert!(matches!(said[..], [(kind::RST_STREAM, _, _)]), "{said:?}");
    }
}

#[test]
fn a_server_that_reads_nothing_hears_that_nobody_waits_for_its_answer() {
    let mut pair = pair();
    let stream = pair.client.open(&asked(), false).unwrap();
    stream.1.send(zeros(MUCH), true).unwrap();
    pair.settle();
    let (_, _receive, send) = pair.server.next().unwrap();
    drop(stream);
    pair.settle();
    assert!(matches!(send.poll_broken(&look()), Poll::Ready(error) if error.code() == Some(Code::CANCEL)));
    assert!(pair.client.conn.borrow().streams.is_empty());
}

#[test]
fn what_a_goodbye_excludes_is_ignored_whatever_it_is() {
    let mut pair = pair();
    pair.server.conn.borrow_mut().leaving = Leaving::After(0);
    let (_receive, send) = pair.client.open(&asked(), false).unwrap();
    send.send(zeros(SOME), false).unwrap();
    send.reset(Code::CANCEL);
    pair.settle();
    assert!(pair.server.next().is_none() && pair.server.conn.borrow().over.is_none());
    assert_window_is_whole(&pair.server.conn);
}

#[test]
fn a_server_may_refuse_as_much_as_it_is_asked() {
    let mut client = End::new(false, Ours { shared: false, ..OURS });
    client.hear(&[0, 0, 0, kind::SETTINGS, 0, 0, 0, 0, 0]).unwrap();
    for number in 0..5000 {
        let _stream = client.open(&asked(), true).unwrap();
        let mut refusal = Vec::new();
        put_reset(&mut refusal, number * 2 + 1, Code::REFUSED_STREAM);
        client.hear(&refusal).expect("it is no flood");
        client.say(usize::MAX);
    }
}

#[test]
fn an_answer_without_content_has_none() {
    for (method, status) in [(Method::HEAD, 200), (Method::GET, 204), (Method::GET, 304)] {
        let mut pair = pair();
        let mut request = asked();
        *request.method_mut() = method;
        let (receive, _send) = pair.client.open(&request, true).unwrap();
        pair.settle();
        let (_, _receive, send) = pair.server.next().unwrap();
        let mut answer = answered();
        answer.status = http::StatusCode::from_u16(status).unwrap();
        answer.headers.insert("content-length", 4.into());
        send.answer(&answer, false).unwrap();
        send.send(Bytes::from_static(b"body"), true).unwrap();
        pair.settle();
        assert!(matches!(receive.poll_data(&look()), Poll::Ready(Some(Err(_)))), "{status}");
    }
}

#[test]
fn a_body_that_is_reset_has_not_ended_whatever_the_code_is() {
    let mut pair = pair();
    let (receive, _send) = pair.client.open(&asked(), true).unwrap();
    pair.settle();
    let (_, _receive, send) = pair.server.next().unwrap();
    send.answer(&answered(), false).unwrap();
    send.send(Bytes::from_static(b"half"), false).unwrap();
    send.reset(Code::NO_ERROR);
    pair.settle();
    let mut body = std::pin::pin!(Payload::http2(receive));
    assert!(matches!(body.as_mut().poll_frame(&mut look()), Poll::Ready(Some(Ok(_)))));
    assert!(matches!(body.as_mut().poll_frame(&mut look()), Poll::Ready(Some(Err(_)))));
}

#[test]
fn an_upload_goes_on_after_its_answer_has_come() {
    let mut pair = pair();
    let (receive, send) = pair.client.open(&asked(), false).unwrap();
    send.send(zeros(MUCH), true).unwrap();
    pair.settle();
    let (_, body, answer) = pair.server.next().unwrap();
    answer.answer(&answered(), true).unwrap();
    pair.settle();
    drop((receive, send));
    let mut received = 0;
    while let Poll::Ready(Some(piece)) = body.poll_data(&look()) {
        let length = piece.expect("nobody breaks it off").len();
        received += length;
        body.release(length);
        pair.settle();
    }
    assert_eq!(received, MUCH);
    assert!(body.is_end_stream());
}
