"""Calls methods by their paths, and prints a line for what each was answered: `PATH`, `PATH header=value`, `PATH *times`, or `PATH ~header`, which is
twenty calls more with what the first was told in that header."""

import collections
import sys

import grpc


def told(channel, path, headers):
    try:
        answer, call = channel.unary_unary(path).with_call(b"", timeout=20, metadata=headers)
        return f"{answer.decode()} headers={','.join(sorted(key for key, _ in call.initial_metadata() if key.startswith('x-')))}"
    except grpc.RpcError as error:
        return f"{error.code().name} {dict(error.trailing_metadata() or ()).get('weft-reason')}"


def counted(channel, path, times, headers):
    counts = collections.Counter(told(channel, path, headers).split()[0] for _ in range(times))
    print(*(f"{who}={count}" for who, count in sorted(counts.items())))


with grpc.insecure_channel(sys.argv[1]) as channel:
    grpc.channel_ready_future(channel).result(timeout=20)
    for argument in sys.argv[2:]:
        path, _, more = argument.partition(" ")
        if more.startswith("*"):
            counted(channel, path, int(more[1:]), [])
        elif more.startswith("~"):
            _, call = channel.unary_unary(path).with_call(b"", timeout=20)
            counted(channel, path, 20, [(key, value) for key, value in call.initial_metadata() if key == more[1:]])
        else:
            print(told(channel, path, [tuple(more.split("="))] if more else []))
