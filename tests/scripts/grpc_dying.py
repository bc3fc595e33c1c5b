"""Calls a server that dies after its first message. Prints the code that tells so."""

import sys

import grpc

with grpc.insecure_channel(sys.argv[1]) as channel:
    answers = channel.unary_stream("/shop.Manners/Die")(b"", timeout=20)
    assert next(answers) == b"last words"
    try:
        next(answers)
    except grpc.RpcError as error:
        print(error.code().name, error.details())
