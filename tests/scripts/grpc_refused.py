"""Calls where nobody answers and prints code, reason and words of the mesh."""

import sys

import grpc

for target in sys.argv[1:]:
    with grpc.insecure_channel(target) as channel:
        try:
            channel.unary_unary("/shop.Cart/Unary")(b"", timeout=20)
            print(target, "answered")
        except grpc.RpcError as error:
            print(target, error.code().name, dict(error.trailing_metadata()).get("weft-reason"), error.details())
