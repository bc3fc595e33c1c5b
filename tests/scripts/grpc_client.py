"""Calls every method of grpc_server.py and prints what came back."""

import sys

import grpc

with grpc.insecure_channel(sys.argv[1]) as channel:
    unary = channel.unary_unary("/shop.Cart/Unary")
    answer, call = unary.with_call(b"world", timeout=20, wait_for_ready=True)
    print("unary", answer.decode(), dict(call.trailing_metadata())["x-trailer"])
    try:
        unary(b"fail", timeout=20)
    except grpc.RpcError as error:
        print("error", error.code().name, error.details(), dict(error.trailing_metadata())["x-trailer"])
    stream = channel.unary_stream("/shop.Cart/Countdown")(b"5", timeout=20)
    print("stream", *(message.decode() for message in stream), dict(stream.trailing_metadata())["x-trailer"])
    chat = channel.stream_stream("/shop.Cart/Chat")(iter([b"a", b"b", b"c"]), timeout=20)
    print("chat", *(message.decode() for message in chat))
