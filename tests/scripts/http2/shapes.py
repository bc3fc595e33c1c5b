"""Messages of every shape, in frames of every size."""

import hashlib
import os
import struct

from checks import HOST, Bystander, connect, good, hello, same
from frames import *


def trailers_go_both_ways():
    client = connect()
    stream = client.ask("/trailers", "POST", end=False)
    client.data(stream, b"body")
    client.headers(stream, [("x-checksum", "1"), ("x-more", "2")], True)
    answer = client.answer(stream)
    good(answer, "body")
    same(answer.trailers, [("x-status", "ended"), ("x-checksum", "1"), ("x-more", "2")])


def trailers_go_without_data():
    answer = connect().get("/hinted")
    good(answer, "")
    same(answer.trailers, [("x-status", "no data")])
    client = connect()
    stream = client.ask("/trailers", "POST", end=False)
    client.headers(stream, [("x-checksum", "1")], True)
    answer = client.answer(stream)
    same(answer.trailers, [("x-status", "ended"), ("x-checksum", "1")])


def an_answer_of_headers_alone_stays_that():
    answer = connect().get("/trailers-only")
    good(answer, "")
    same(len(answer.frames), 1)
    same(answer.get("grpc-status"), "5")


def padding_is_taken_off_and_counted():
    client = connect()
    good(client.get("/padded"), "abc")
    body = os.urandom(200_000)
    stream = client.ask("/upload", "POST", end=False, flags=["PADDED"], pad_length=100)
    client.upload(stream, body, padding=250)
    good(client.answer(stream), f"{len(body)} {hashlib.sha256(body).hexdigest()}")


def priorities_are_ignored():
    client = connect()
    priority = dict(depends_on=0, stream_weight=200, exclusive=True)
    client.send(PriorityFrame(1, **priority), PriorityFrame(101, **priority), PriorityFrame(7, depends_on=5))
    good(client.get("/hello", flags=["PRIORITY"], **priority), "hello")
    client.send(PriorityFrame(1, **priority), PriorityFrame(client.next, **priority))
    hello(client)


def pings_are_answered():
    client = connect()
    stream = client.ask("/slow?seconds=0.5")
    pings = [struct.pack("!Q", number) for number in range(50)]
    client.send(*(PingFrame(0, ping) for ping in pings))
    assert client.until(lambda: len(client.pongs) == len(pings)), client.pongs
    same(client.pongs, pings)
    good(client.answer(stream), "at last")


def unknown_frames_and_settings_are_ignored():
    client = connect(settings={0x7777: 1})
    client.sock.sendall(b"\x00\x00\x03\xfb\xff\x00\x00\x00\x00abc")
    hello(client)
    client.sock.sendall(b"\x00\x00\x03\xfb\xff" + (client.next).to_bytes(4) + b"abc")
    hello(client)


def big_bodies_pass_small_windows():
    client = connect(settings={INITIAL_WINDOW_SIZE: 1000})
    answer = client.get("/bulk?size=1100000", patience=30)
    good(answer)
    same(len(answer.data), 1_100_000)
    body = os.urandom(1_100_000)
    stream = client.ask("/upload", "POST", end=False)
    client.upload(stream, body)
    good(client.answer(stream, patience=30), f"{len(body)} {hashlib.sha256(body).hexdigest()}")


def a_window_may_shrink_below_nothing():
    client = connect(windows=False)
    stream = client.ask("/bulk?size=80000")
    client.until(lambda: len(client.messages[stream].data) >= 60000)
    client.send(SettingsFrame(0, settings={INITIAL_WINDOW_SIZE: 10}))
    client.send(*(WindowUpdateFrame(at, window_increment=1 << 20) for at in (0, stream)))
    good(client.answer(stream))


def headers_of_many_kinds_arrive_as_they_were():
    client = connect()
    odd = [("y-empty", ""), ("y-twice", "1"), ("y-twice", "2"), ("cookie", "a=1"), ("cookie", "b=2"), ("y-long", "l" * 30000)]
    answer = client.get("/reflect", headers=odd)
    good(answer)
    same([(key, value) for key, value in answer.headers if key.startswith("y-") or key == "cookie"], odd)


def headers_in_many_continuations_arrive():
    client = connect()
    block = client.encoder.encode([(":method", "GET"), (":scheme", "http"), (":authority", HOST), (":path", "/hello"), ("x-long", "l" * 3000)])
    stream, client.next = client.next, client.next + 2
    client.messages[stream] = Message()
    # Five: a sidecar bears with more the longer the header list may be.
    pieces = [block[at : at + len(block) // 5 + 1] for at in range(0, len(block), len(block) // 5 + 1)]
    frames = [HeadersFrame(stream, pieces[0], flags=["END_STREAM"])] + [ContinuationFrame(stream, piece) for piece in pieces[1:]]
    frames[-1].flags.add("END_HEADERS")
    client.send(*frames)
    good(client.answer(stream), "hello")


def frames_without_data_change_nothing():
    client = connect()
    good(client.get("/empties?count=50"), "before after")
    stream = client.ask("/upload", "POST", end=False)
    for piece in (b"one", b"", b"", b"two", b""):
        client.data(stream, piece)
    client.data(stream, b"", True)
    good(client.answer(stream), f"6 {hashlib.sha256(b'onetwo').hexdigest()}")


def bodies_of_single_bytes_arrive():
    answer = connect().get("/bulk?size=5000&piece=1")
    good(answer)
    same(len(answer.data), 5_000)


def many_bodies_of_single_bytes_arrive_at_once():
    """More of them than anybody reads in one go."""
    with Bystander():
        client = connect()
        streams = [client.ask("/bulk?size=100000&piece=1") for _ in range(3)]
        for answer in client.answer(*streams, patience=30):
            good(answer)
            same(len(answer.data), 100_000)


def uploads_of_single_bytes_arrive():
    sent_in_single_bytes(5_000)


def long_uploads_of_single_bytes_arrive():
    """More of them than anybody reads in one go."""
    with Bystander():
        sent_in_single_bytes(100_000)


def sent_in_single_bytes(length):
    client = connect()
    stream = client.ask("/upload", "POST", end=False)
    for at in range(0, length, 1000):
        assert client.until(lambda: client.window(stream) >= 1000 or client.messages[stream].over), client.farewell
        client.spend(stream, 1000)
        client.send(*(DataFrame(stream, b"x") for _ in range(1000)))
    client.data(stream, b"", True)
    good(client.answer(stream), f"{length} {hashlib.sha256(b'x' * length).hexdigest()}")


def a_thousand_streams_at_once_are_answered():
    client = connect()
    streams = [client.ask("/hello") for _ in range(1000)]
    for answer in client.answer(*streams, patience=20):
        good(answer, "hello")
