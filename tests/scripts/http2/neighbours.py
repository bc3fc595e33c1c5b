"""Clients, requests and servers that must not hurt others they share a sidecar with."""

import contextlib
import struct
import time

from checks import Bystander, connect, fresh, gathered, good, hello, same
from frames import *


def stalled(client, count, size):
    """Begins answers of that size that are never read. The connection's window never ends, the streams' do."""
    if client.next == 1:
        client.send(WindowUpdateFrame(0, window_increment=(1 << 31) - 1 - 65535))
    streams = [client.ask(f"/bulk?size={size}") for _ in range(count)]
    full = lambda: all(len(client.messages[stream].data) == 65535 for stream in streams)
    assert client.until(full, 20), [client.messages[stream] for stream in streams]
    return streams


def one_stream_that_is_not_read_hurts_no_other():
    client = connect(windows=False)
    stalled(client, 1, 8_000_000)
    streams = [client.ask("/bulk?size=200000") for _ in range(20)]
    client.send(*(WindowUpdateFrame(stream, window_increment=1 << 20) for stream in streams))
    for answer in client.answer(*streams):
        good(answer)
        same(len(answer.data), 200_000)
    hello()


def thirty_streams_that_are_not_read_hurt_no_other_client():
    client = connect(windows=False)
    stalled(client, 30, 2_000_000)
    time.sleep(0.5)
    other = connect()
    good(other.get("/bulk?size=200000"))
    client.close()


def thirty_uploads_that_are_not_read_hurt_no_other_client():
    """The server never opens a window for them; what the sidecars hold of them is theirs alone."""
    client = connect()
    assert client.until(lambda: client.may_send > 1 << 20)
    for _ in range(30):
        stream = client.ask("/stall", "POST", end=False)
        for _ in range(64):
            if not client.until(lambda: client.window(stream) >= 16384, 0.2):
                break
            client.spend(stream, 16384)
            client.data(stream, b"x" * 16384)
    other = connect()
    stream = other.ask("/upload", "POST", end=False)
    other.upload(stream, b"x" * 100_000)
    good(other.answer(stream))


def windows_of_answers_given_up_are_given_back():
    for _ in range(3):
        client = connect(windows=False)
        for stream in stalled(client, 10, 2_000_000):
            client.reset(stream, CANCEL)
        stalled(client, 5, 2_000_000)
        client.close()
    good(connect().get("/bulk?size=3000000"))


def small_messages_that_are_not_read_hurt_no_other_client():
    """A stream of many small messages, and a client that falls behind: no rare sight."""
    with Bystander():
        client = connect(windows=False)
        client.send(WindowUpdateFrame(0, window_increment=(1 << 31) - 1 - 65535))
        stream = client.ask("/bulk?size=2000000&piece=20")
        assert client.until(lambda: len(client.messages[stream].data) == 65535, 20), client.messages[stream]
        time.sleep(1)


def a_server_that_flushes_without_data_is_borne_with():
    """Empty DATA frames of several answers, more than a hundred on one connection."""
    with Bystander():
        client = connect()
        for _ in range(6):
            good(client.get("/empties?count=30"), "before after")


def a_client_that_flushes_without_data_is_borne_with():
    with Bystander():
        client = connect()
        for _ in range(6):
            stream = client.ask("/upload", "POST", end=False)
            for _ in range(30):
                client.data(stream)
            client.data(stream, b"x", True)
            good(client.answer(stream))


def a_client_that_dies_hurts_no_other():
    with Bystander():
        for _ in range(10):
            client = connect()
            for _ in range(10):
                client.ask(f"/drip?name={fresh()}")
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()


def a_client_that_leaves_many_requests_behind_hurts_no_other():
    with Bystander():
        for _ in range(5):
            client = connect()
            with gathered(client):
                for _ in range(2000):
                    client.ask("/mute?name=left")
            client.close()


def a_client_that_cancels_as_fast_as_it_asks_hurts_no_other():
    with Bystander():
        for _ in range(5):
            client = connect()
            with gathered(client), contextlib.suppress(ConnectionError):
                for _ in range(1000):
                    client.reset(client.ask("/mute?name=left"), CANCEL)
            client.until(lambda: False, 0.1)


def clients_that_soon_cancel_what_they_asked_for_hurt_no_other():
    """Not at once, and on many connections: no sidecar counts too many resets on any of those, but on its hop to the next all meet."""
    with Bystander():
        clients = [connect() for _ in range(10)]
        for delay in (0.0, 0.0003, 0.001, 0.002, 0.004) * 4:
            asked = []
            for client in clients:
                with gathered(client):
                    asked += [(client, client.ask("/mute?name=left")) for _ in range(15)]
            time.sleep(delay)
            for client in clients:
                with gathered(client):
                    for _, stream in filter(lambda pair: pair[0] is client, asked):
                        client.reset(stream, CANCEL)
            hello()


def a_client_that_cancels_answers_as_they_begin_hurts_no_other():
    with Bystander():
        client = connect()
        for _ in range(20):
            streams = [client.ask(f"/drip?name={fresh()}") for _ in range(50)]
            assert client.until(lambda: all(client.messages[stream].data for stream in streams)), client.messages
            for stream in streams:
                client.reset(stream, CANCEL)


def a_client_that_speaks_nonsense_hurts_no_other():
    nonsense = [
        b"\xff" * 100,
        b"\x00\x00\x01\x01\x05\x00\x00\x00\x01\xff",
        b"\x00\x00\x01\x00\x00\x00\x00\x00\x00x",
        WindowUpdateFrame(0, window_increment=(1 << 31) - 1).serialize() * 3,
        RstStreamFrame(99, error_code=8).serialize(),
        HeadersFrame(2, b"\x82\x86\x84", flags=["END_HEADERS", "END_STREAM"]).serialize(),
        b"\x00\x00\x05\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x00\xff\xff\x00\x00\x00\x00\x00\x01" + b"x" * 0xFFFF,
    ]
    with Bystander():
        for wrong in nonsense:
            client = connect()
            client.ask(f"/mute?name={fresh()}")
            client.sock.sendall(wrong)
            client.until(lambda: False, 0.1)
            client.close()


def headers_at_the_limit_hurt_no_other():
    with Bystander():
        for length in (60_000, 65_000, 65_300, 65_400, 65_500, 70_000, 200_000):
            client = connect()
            try:
                answer = client.get("/hello", headers=[("x-long", "l" * length)])
            except ConnectionError:
                continue
            assert length > 60_000 and answer.status in (None, 431) or answer.status == 200, (length, answer, client.farewell)


def many_headers_hurt_no_other():
    with Bystander():
        for count in (100, 500, 1000, 5000):
            client = connect()
            client.answer(client.ask("/hello", headers=[(f"x-{number}", "") for number in range(count)]), patience=2)


def a_server_that_lies_often_fails_those_answers_alone():
    with Bystander():
        client = connect()
        for _ in range(24):
            client.answer(*(client.ask("/lie") for _ in range(50)))
