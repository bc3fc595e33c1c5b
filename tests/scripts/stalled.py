"""stalled.py HOST CONNECTIONS: begins to read endless bytes on these connections, and stops. At every line on standard input, tells how
many bytes the server has got rid of, or why it cannot tell."""

import socket
import sys

host, count = sys.argv[1], int(sys.argv[2])


def dial(word):
    connection = socket.create_connection((host, 9100), timeout=5)
    connection.sendall(word + b"\n")
    return connection


connections = [dial(b"flood") for _ in range(count)]
for connection in connections:
    assert connection.recv(1) == b"\0"
print("stalled", flush=True)
for _ in sys.stdin:
    try:
        with dial(b"count") as connection:
            print(int(connection.recv(100)), flush=True)
    except OSError as error:
        print(repr(error), flush=True)
