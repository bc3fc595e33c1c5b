"""A gRPC server that sleeps, streams, fails in detail and remembers which calls were given up. Messages are bytes."""

import os
import sys
import threading
import time
from concurrent import futures

import grpc

cancelled = {}


def sleep(request, context):
    """Sleeps until the client gives up; tells by `GaveUp` whether it did. The request names the call."""
    over = cancelled.setdefault(request, threading.Event())
    context.add_callback(over.set)
    over.wait(20)
    return b"slept"


def drip(request, context):
    """One message, then silence until the client gives up."""
    over = cancelled.setdefault(request, threading.Event())
    context.add_callback(over.set)
    yield b"first"
    over.wait(20)


def gave_up(request, context):
    return b"yes" if cancelled.setdefault(request, threading.Event()).wait(10) else b"no"


def remaining(_, context):
    return str(context.time_remaining()).encode()


def fail(request, context):
    context.set_trailing_metadata((("grpc-status-details-bin", bytes(range(256))), ("x-why", "because")))
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "100% used up: né ☃")


def metadata(_, context):
    """What came in, back as initial and trailing metadata."""
    echoed = [(key, value) for key, value in context.invocation_metadata() if key.startswith("x-") and not key.startswith("x-forwarded-")]
    context.send_initial_metadata(echoed)
    context.set_trailing_metadata(echoed)
    return b""


def echo(request, context):
    return request


def silence(request, context):
    """Nothing for as many seconds as asked, then one message."""
    time.sleep(float(request))
    yield b"after silence"


def die(request, context):
    """One message, and the server is gone."""
    yield b"last words"
    os._exit(1)


def die_at_once(request, context):
    os._exit(1)


unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
METHODS = {
    "Sleep": unary(sleep),
    "Drip": stream(drip),
    "GaveUp": unary(gave_up),
    "Remaining": unary(remaining),
    "Fail": unary(fail),
    "Metadata": unary(metadata),
    "Echo": unary(echo),
    "Silence": stream(silence),
    "Die": stream(die),
    "DieAtOnce": unary(die_at_once),
}


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        return METHODS.get(details.method.removeprefix("/shop.Manners/"))


OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # It pings its own side often, as some do.
    ("grpc.keepalive_time_ms", 200),
    ("grpc.http2.max_pings_without_data", 0),
]
server = grpc.server(futures.ThreadPoolExecutor(32), options=OPTIONS, compression=grpc.Compression.Gzip)
server.add_generic_rpc_handlers((Handler(),))
server.add_insecure_port(f"[::]:{sys.argv[1]}")
server.start()
server.wait_for_termination()
