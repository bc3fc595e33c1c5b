"""Sends byte sequences, and tells what came back.

    client.py WORK

WORK is a JSON file: an array of `{"number", "services", "pieces", "pause", "until", "patience"}`. Every sequence goes to port 8080 of its
services, each time on a connection of its own, piece by piece, one after another; then comes a request that marks where the next one
begins in what the service writes down. What came back, and how it ended, is told as one line of JSON. Bytes are told
as the code points of the same numbers.
"""

import functools
import json
import socket
import sys
import threading
import time

# After a sequence that got no answer from the service, so that what its connection left behind is written down before the mark, where
# it does not tell whose it is.
SETTLE = 0.01

# Times to ask a service whether it is there, before anything is sent to it.
TRIES = 100

lock = threading.Lock()


def tell(**entry):
    with lock:
        print(json.dumps(entry), flush=True)


@functools.cache
def address(name):
    """The services listen at IPv4 alone."""
    return socket.gethostbyname(name), 8080


def connect(name):
    connection = socket.create_connection(address(name), 5)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def send(connection, pieces, pause=0):
    for number, piece in enumerate(pieces):
        if number:
            time.sleep(pause)
        try:
            connection.sendall(piece.encode("latin-1"))
        except OSError:
            return


def receive(connection, until, patience):
    """What came, and what ended it: `until` itself, silence, or the connection's end."""
    connection.settimeout(patience)
    came = b""
    try:
        while data := connection.recv(1 << 16):
            came += data
            if until in came:
                return came, "answered"
        return came, "closed"
    except TimeoutError:
        return came, "silent"
    except OSError:
        return came, "reset"


def try_sequence(name, sequence):
    with connect(name) as connection:
        send(connection, sequence["pieces"], sequence["pause"])
        came, end = receive(connection, sequence["until"].encode("latin-1"), sequence["patience"])
    if end != "answered":
        time.sleep(SETTLE)
    return came, end


class Innocent:
    """Another client of the same service, on a connection of its own, which it keeps."""

    def __init__(self, name):
        self.name = name
        self.connection = None

    def mark(self, number):
        """Asks for a page that nobody else asks for, and insists on its answer."""
        for _ in range(TRIES if number == "first" else 1):
            end = self.ask(number)
            if end == "answered":
                return
            time.sleep(0.05)
        tell(service=self.name, number=number, came="", end="another client was not answered: " + end)

    def ask(self, number):
        request = f"GET /mark/{number} HTTP/1.1\r\nHost: {self.name}\r\n\r\n"
        try:
            self.connection = self.connection or connect(self.name)
            send(self.connection, [request])
            _, end = receive(self.connection, f"answer to GET /mark/{number}\n".encode(), 5)
        except OSError as error:
            end = str(error)
        if end != "answered":
            self.connection = None
        return end


def work(name, sequences):
    innocent = Innocent(name)
    innocent.mark("first")
    for sequence in (sequence for sequence in sequences if name in sequence["services"]):
        came, end = try_sequence(name, sequence)
        tell(service=name, number=sequence["number"], came=came.decode("latin-1"), end=end)
        innocent.mark(sequence["number"])


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        sequences = json.load(file)
    names = sorted({name for sequence in sequences for name in sequence["services"]})
    threads = [threading.Thread(target=work, args=(name, sequences)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
