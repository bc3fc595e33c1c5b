"""client.py TARGET SECONDS: calls TARGET about two hundred times a second, every other time with a header field, and tells each half second, in
a line of JSON, who has answered, and how often, and what has failed."""

import collections
import json
import sys
import time

import grpc

target, seconds = sys.argv[1], float(sys.argv[2])
TRIAL = (("x-trial", "yes"),)

with grpc.insecure_channel(target) as channel:
    call = channel.unary_unary("/shop.Echo/Name")
    call(b"", timeout=30, wait_for_ready=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        told = {"plain": collections.Counter(), "trial": collections.Counter(), "failed": collections.Counter()}
        soon = time.monotonic() + 0.5
        while time.monotonic() < soon:
            for word, metadata in (("plain", None), ("trial", TRIAL)):
                try:
                    told[word][call(b"", timeout=5, metadata=metadata).decode()] += 1
                except grpc.RpcError as error:
                    told["failed"][f"{word} {error.code().name}: {error.details()}"] += 1
            time.sleep(0.01)
        print(json.dumps(told), flush=True)
