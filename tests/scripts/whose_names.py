"""Connects so many times and prints how often which name was said: `whose_names.py HOST PORT TIMES`."""

import collections
import socket
import sys


def told(host, port):
    try:
        with socket.create_connection((host, port), timeout=20) as server:
            return server.makefile().readline().strip() or "closed"
    except ConnectionError:
        return "reset"


counts = collections.Counter(told(sys.argv[1], int(sys.argv[2])) for _ in range(int(sys.argv[3])))
print(*(f"{who}={count}" for who, count in sorted(counts.items())))
