"""Answers every unary gRPC call with its own name, what was called, and a header that routes change."""

import sys
from concurrent import futures

import grpc

NAME = sys.argv[2]


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        added = dict(details.invocation_metadata).get("x-added", "")

        def answer(_request, context):
            context.send_initial_metadata((("x-unwanted", "yes"),))
            return f"{NAME} {details.method} added={added}".encode()

        return grpc.unary_unary_rpc_method_handler(answer)


server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((Handler(),))
server.add_insecure_port(f"[::]:{sys.argv[1]}")
server.start()
server.wait_for_termination()
