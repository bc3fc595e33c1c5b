"""Calls methods by their paths, `PATH`, `PATH header=value` or `PATH *times`, and prints a line for what each was answered."""

import collections
import sys

import grpc


def told(channel, path, headers):
    try:
        answer, call = channel.unary_unary(path).with_call(b"", timeout=20, metadata=headers)
        return f"{answer.decode()} headers={','.join(sorted(key for key, _ in call.initial_metadata() if key.startswith('x-')))}"
    except grpc.RpcError as error:
        return f"{error.code().name} {dict(error.trailing_metadata() or ()).get('weft-reason')}"


with grpc.insecure_channel(sys.argv[1]) as channel:
    grpc.channel_ready_future(channel).result(timeout=20)
    for argument in sys.argv[2:]:
        path, _, more = argument.partition(" ")
        if more.startswith("*"):
            counts = collections.Counter(told(channel, path, []).split()[0] for _ in range(int(more[1:])))
            print(*(f"{who}={count}" for who, count in sorted(counts.items())))
        else:
            print(told(channel, path, [tuple(more.split("="))] if more else []))
