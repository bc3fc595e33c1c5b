"""Calls grpc_manners_server.py as real clients do on good and bad days. Prints what held, one line each; ends at what did not."""

import os
import sys
import time

import grpc

OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 200),
    ("grpc.keepalive_timeout_ms", 5000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]
channel = grpc.insecure_channel(sys.argv[1], options=OPTIONS)


def unary(name):
    return channel.unary_unary("/shop.Manners/" + name)


def stream(name):
    return channel.unary_stream("/shop.Manners/" + name)


def failure(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except grpc.RpcError as error:
        return error
    raise AssertionError("it did not fail")


def check(what, truth, *seen):
    assert truth, (what, *seen)
    print(what, flush=True)


def until_it_answers():
    """Waits until the server answers (again)."""
    until = time.monotonic() + 20
    while True:
        try:
            return unary("Echo")(b"", timeout=20)
        except grpc.RpcError:
            assert time.monotonic() < until
            time.sleep(0.05)


until_it_answers()

error = failure(unary("Sleep"), b"deadline", timeout=0.5)
check("a deadline ends a call", error.code() is grpc.StatusCode.DEADLINE_EXCEEDED, error)
check("its server hears of it", unary("GaveUp")(b"deadline", timeout=20) == b"yes")

left = float(unary("Remaining")(b"", timeout=15))
check("a server knows how much time is left", 5 < left < 16, left)

answers = stream("Drip")(b"cancelled", timeout=20)
assert next(answers) == b"first"
answers.cancel()
check("a cancelled stream is heard of", unary("GaveUp")(b"cancelled", timeout=20) == b"yes")
call = unary("Sleep").future(b"unanswered", timeout=20)
time.sleep(0.2)
call.cancel()
check("so is a cancelled call without an answer", unary("GaveUp")(b"unanswered", timeout=20) == b"yes")

error = failure(unary("Fail"), b"", timeout=20)
trailers = dict(error.trailing_metadata())
check("an error keeps its code", error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED, error)
check("and its words", error.details() == "100% used up: né ☃", error.details())
check("and its details, byte for byte", trailers["grpc-status-details-bin"] == bytes(range(256)), trailers)
check("and what else was said", trailers["x-why"] == "because", trailers)

sent = (("x-text", "plain"), ("x-twice", "1"), ("x-twice", "2"), ("x-any-bin", bytes(range(255, -1, -1))), ("x-long", "l" * 6000))
_, call = unary("Metadata").with_call(b"", timeout=20, metadata=sent)
for part, back in (("initial", call.initial_metadata()), ("trailing", call.trailing_metadata())):
    check(f"{part} metadata comes back whole", sorted((k, v) for k, v in back if k.startswith("x-") and k != "x-forwarded-for") == sorted(sent), back)

noise = os.urandom(1 << 20) * 8
check("8 MiB go there and back", unary("Echo")(noise, timeout=60) == noise)
text = b"the same again " * 500_000
check("and so they do compressed", unary("Echo")(text, timeout=60, compression=grpc.Compression.Gzip) == text)

check("pings from both sides disturb no silence", list(stream("Silence")(b"1.5", timeout=20)) == [b"after silence"])

error = failure(unary("NoSuchMethod"), b"", timeout=20)
check("a method that is not there is told", error.code() is grpc.StatusCode.UNIMPLEMENTED, error)

error = failure(unary("DieAtOnce"), b"", timeout=20)
check("a server that dies is told before it answered", error.code() is grpc.StatusCode.UNAVAILABLE, error)
