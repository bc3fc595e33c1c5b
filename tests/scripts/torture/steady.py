"""A good client of an echo: four at a time, 25 messages a second each, every tenth on a fresh connection. HOST PORT SECONDS PATIENCE"""

import os
import socket
import sys
import threading
import time

HOST, PORT, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
END = time.monotonic() + SECONDS
PATIENCE = float(sys.argv[4])
done, failed = [], []


def exchange(line, message):
    line.sendall(message)
    heard = b""
    while len(heard) < len(message):
        data = line.recv(len(message) - len(heard))
        if not data:
            raise ConnectionError("the echo broke off")
        heard += data
    if heard != message:
        raise ValueError("the echo is not what was said")


def client():
    line, number, due = None, 0, time.monotonic()
    while due < END:
        time.sleep(max(0, due - time.monotonic()))
        try:
            if line is None:
                line = socket.create_connection((HOST, PORT), PATIENCE)
            exchange(line, os.urandom(200))
            done.append(1)
        except (OSError, ValueError) as error:
            failed.append(repr(error))
            line = None
        number, due = number + 1, due + 0.04
        if number % 10 == 0 and line:
            line.close()
            line = None


clients = [threading.Thread(target=client) for _ in range(4)]
for one in clients:
    one.start()
for one in clients:
    one.join()
print(f"echoes: {len(done)} succeeded, {len(failed)} failed {failed[:3]}")
