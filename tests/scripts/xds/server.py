"""server.py PORT: a gRPC server that answers every unary call with what the variable NAME says, or the name of its pod, and lets open calls end when it is told to."""

import os
import signal
import sys
from concurrent import futures

import grpc

NAME = os.environ.get("NAME", os.environ["HOSTNAME"]).encode()


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: NAME)


server = grpc.server(futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((Handler(),))
server.add_insecure_port(f"0.0.0.0:{sys.argv[1]}")
server.start()
signal.signal(signal.SIGTERM, lambda *_: server.stop(1))
server.wait_for_termination()
