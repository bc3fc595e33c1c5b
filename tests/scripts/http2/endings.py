"""Streams and connections that end early: resets and goodbyes."""

import time

from checks import connect, fresh, good, hello, same, seen
from frames import *


def a_cancelled_request_without_answer_is_cancelled_at_the_server():
    client, name = connect(), fresh()
    stream = client.ask(f"/mute?name={name}")
    good(client.get(f"/begun?of=nobody"))
    time.sleep(0.1)
    client.reset(stream, CANCEL)
    same(seen(name), str(CANCEL))
    hello(client)


def a_cancelled_answer_is_cancelled_at_the_server():
    client, name = connect(), fresh()
    stream = client.ask(f"/drip?name={name}")
    assert client.until(lambda: client.messages[stream].data == b"drop"), client.messages[stream]
    client.reset(stream, CANCEL)
    same(seen(name), str(CANCEL))
    hello(client)


def a_cancelled_upload_is_cancelled_at_the_server():
    client, name = connect(), fresh()
    stream = client.ask(f"/upload?name={name}", "POST", end=False)
    client.upload(stream, b"x" * 1000, end=False)
    time.sleep(0.1)
    client.reset(stream, CANCEL)
    same(seen(name), str(CANCEL))
    hello(client)


def a_client_that_is_gone_cancels_what_it_asked_for():
    client, names = connect(), [fresh() for _ in range(3)]
    streams = [client.ask(f"/drip?name={names[0]}"), client.ask(f"/mute?name={names[1]}")]
    streams.append(client.ask(f"/upload?name={names[2]}", "POST", end=False))
    assert client.until(lambda: client.messages[streams[0]].data == b"drop"), client.messages
    time.sleep(0.1)
    client.close()
    for name in names:
        same(seen(name), str(CANCEL))


def codes_of_a_client_reach_the_server():
    client = connect()
    for code in (PROTOCOL_ERROR, INTERNAL_ERROR, ENHANCE_YOUR_CALM):
        name = fresh()
        stream = client.ask(f"/drip?name={name}")
        assert client.until(lambda: client.messages[stream].data == b"drop"), client.messages[stream]
        client.reset(stream, code)
        same(seen(name), str(code))


def codes_of_a_server_midway_reach_the_client():
    client = connect()
    for code in (PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM):
        answer = client.get(f"/reset-midway?code={code}")
        same((answer.status, answer.data, answer.reset, answer.ended), (200, b"part", code, False))
    hello(client)


def a_reset_instead_of_an_answer_reaches_the_client():
    client = connect()
    for code in (PROTOCOL_ERROR, INTERNAL_ERROR, CANCEL, ENHANCE_YOUR_CALM):
        answer = client.get(f"/reset?code={code}")
        same((answer.status, answer.reset), (None, code))
    hello(client)


def a_refused_stream_is_tried_again():
    name = fresh()
    good(connect().get(f"/refuse-once?name={name}"), "begun 2 times")


def a_refused_upload_is_not_made_up():
    """Tried again, or refused to the client as it was; never answered to half a body."""
    client, name = connect(), fresh()
    body = b"x" * 50000
    stream = client.ask(f"/refuse-once?name={name}", "POST", end=False)
    client.upload(stream, body)
    answer = client.answer(stream)
    assert answer.data == b"begun 2 times" or answer.reset == REFUSED_STREAM, answer


def an_early_answer_is_whole_and_no_failure():
    client = connect()
    for _ in range(20):
        stream = client.ask("/early", "POST", end=False)
        client.upload(stream, b"x" * 100_000, end=False)
        answer = client.answer(stream)
        same((answer.status, answer.data, answer.ended), (200, b"enough", True))
        same(answer.reset, None, NO_ERROR)
    hello(client)


def a_request_that_a_goodbye_leaves_out_is_tried_again():
    name = fresh()
    good(connect().get(f"/goodbye-before?name={name}"), "begun 2 times")


def a_request_that_a_goodbye_counts_in_is_not_repeated():
    client, name = connect(), fresh()
    answer = client.get(f"/goodbye-and-crash?name={name}")
    assert answer.status in (502, None), answer
    good(connect().get(f"/begun?of={name}"), "1")


def a_goodbye_lets_open_streams_finish_and_new_ones_go_elsewhere():
    client, other = connect(), connect()
    slow = [client.ask("/slow?seconds=0.7"), client.ask("/goodbye-after")]
    time.sleep(0.2)
    for _ in range(20):
        hello(client)
        hello(other)
    for answer, said in zip(client.answer(*slow), ("at last", "in spite of it")):
        good(answer, said)


def a_server_that_crashes_midway_resets_what_it_had_begun():
    answer = connect().get("/crash-midway")
    same((answer.status, answer.data, answer.ended), (200, b"part", False))
    assert answer.reset is not None, answer
    time.sleep(0.1)
    hello()


def a_server_that_lies_about_a_length_fails_that_answer_alone():
    client = connect()
    answer = client.get("/lie")
    assert answer.status == 502 or answer.reset is not None, answer
    hello(client)


def a_request_that_lies_about_its_length_fails_alone():
    client = connect()
    stream = client.ask("/upload", "POST", headers=[("content-length", "10")], end=False)
    client.data(stream, b"three", True)
    answer = client.answer(stream)
    assert answer.reset == PROTOCOL_ERROR or answer.status == 400, answer
    hello(client)


def an_open_stream_outlives_its_servers_leaving():
    """Says when it is open. The caller then takes the server away."""
    client = connect()
    stream = client.ask("/slow?seconds=2")
    client.until(lambda: False, 0.2)
    print("open", flush=True)
    good(client.answer(stream), "at last")
    return client


def a_leaving_sidecar_says_goodbye():
    client = an_open_stream_outlives_its_servers_leaving()
    assert client.until(lambda: client.farewell, 1), "no GOAWAY"
    same(client.farewell.error_code, NO_ERROR)
    assert client.until(lambda: client.closed, 3), "the connection stays open"
