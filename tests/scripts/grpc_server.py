"""A gRPC server without generated code: messages are bytes. Answers unary calls and both kinds of streams, with trailers."""

import sys
from concurrent import futures

import grpc


def unary(request, context):
    context.set_trailing_metadata((("x-trailer", "unary"),))
    if request == b"fail":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "told to fail")
    return b"hello " + request


def countdown(request, context):
    context.set_trailing_metadata((("x-trailer", "countdown"),))
    for number in range(int(request), 0, -1):
        yield str(number).encode()


def chat(requests, context):
    for request in requests:
        yield request.upper()


METHODS = {
    "/shop.Cart/Unary": grpc.unary_unary_rpc_method_handler(unary),
    "/shop.Cart/Countdown": grpc.unary_stream_rpc_method_handler(countdown),
    "/shop.Cart/Chat": grpc.stream_stream_rpc_method_handler(chat),
}


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        return METHODS.get(details.method)


server = grpc.server(futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((Handler(),))
server.add_insecure_port(f"0.0.0.0:{sys.argv[1]}")
server.start()
server.wait_for_termination()
