"""Answers every unary gRPC call with its own name, what was called, and a header that routes change; every other call of a method `Moody` is told
to come again."""

import itertools
import sys
from concurrent import futures

import grpc

NAME = sys.argv[2]
MOODS = itertools.cycle([False, True])


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        added = dict(details.invocation_metadata).get("x-added", "")

        def answer(_request, context):
            if details.method.endswith("/Moody") and not next(MOODS):
                context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
            context.send_initial_metadata((("x-unwanted", "yes"),))
            return f"{NAME} {details.method} added={added}".encode()

        return grpc.unary_unary_rpc_method_handler(answer)


server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((Handler(),))
server.add_insecure_port(f"[::]:{sys.argv[1]}")
server.start()
server.wait_for_termination()
