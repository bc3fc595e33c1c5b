"""greeted.py HOST: at every line on standard input, tells how many milliseconds a new connection to the greeter waits for its first byte."""

import socket
import sys
import time

host = socket.gethostbyname(sys.argv[1])
for _ in sys.stdin:
    begun = time.monotonic()
    with socket.create_connection((host, 2525), timeout=10) as connection:
        assert connection.recv(1) == b"2"
        print((time.monotonic() - begun) * 1000, flush=True)
