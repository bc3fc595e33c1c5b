"""The ways in which a TCP connection may end. Each way of the server has a port; a diary tells how its last connection ended.

    endings.py serve                       serves all of them
    endings.py call HOST FAMILY CASE...    goes through these and prints how each ended
"""

import errno
import hashlib
import select
import socket
import struct
import sys
import threading
import time

DIARY, COUNT, FAREWELL, LISTEN, RESET, GREET_AND_RESET, FLOOD_AND_RESET, LEAVE, STILL, FAREWELL_AND_RESET, ADD = range(7000, 7011)
PATIENCE = 4
# What is asked of the mesh: an end has crossed it within this time.
PROMPT = 1


def reset(connection):
    """Closes with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def rest(connection):
    """Reads to the end. Says how much there was, and what kind of end it is."""
    read = 0
    try:
        while piece := connection.recv(1 << 16):
            read += len(piece)
        return f"{read} bytes, then the end"
    except TimeoutError:
        return f"{read} bytes, then silence"
    except OSError as error:
        return f"{read} bytes, then {errno.errorcode[error.errno]}"


def fate(connection):
    """Of a connection whose incoming half has ended: whether it breaks, without a byte being sent to find out."""
    poll = select.poll()
    poll.register(connection, 0)
    events = poll.poll(PATIENCE * 1000)
    return "broken" if events and events[0][1] & select.POLLERR else "silence"


def count(connection):
    digest = hashlib.sha256()
    read = 0
    while piece := connection.recv(1 << 16):
        read += len(piece)
        digest.update(piece)
    connection.sendall(f"{read} {digest.hexdigest()}".encode())


def farewell(connection):
    connection.sendall(b"farewell")
    connection.shutdown(socket.SHUT_WR)
    return rest(connection)


def greet_and_reset(connection):
    connection.sendall(b"hello")
    connection.recv(1)
    reset(connection)


def flood_and_reset(connection):
    connection.recv(1)
    for _ in range(256):
        connection.sendall(bytes(1 << 16))
    connection.recv(1)
    reset(connection)


def leave(connection):
    connection.sendall(b"hello")
    connection.recv(3)


def still(connection):
    return f"{rest(connection)}, {fate(connection)}"


def farewell_and_reset(connection):
    connection.sendall(b"farewell")
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)
    reset(connection)


accepted = 0


def add(connection):
    """Answers how many connections there were since it last answered."""
    global accepted
    accepted += 1
    if connection.recv(1):
        connection.sendall(b"%d" % accepted)
        accepted = 0


WAYS = {
    COUNT: count,
    FAREWELL: farewell,
    LISTEN: rest,
    RESET: reset,
    GREET_AND_RESET: greet_and_reset,
    FLOOD_AND_RESET: flood_and_reset,
    LEAVE: leave,
    STILL: still,
    FAREWELL_AND_RESET: farewell_and_reset,
    ADD: add,
}


class Diary:
    def __init__(self):
        self.entries = {}
        self.changed = threading.Condition()

    def write(self, port, entry):
        with self.changed:
            self.entries[port] = entry
            self.changed.notify_all()

    def answer(self, connection):
        """Tells how the connection on a port ended, once it has, and forgets it."""
        port = int(connection.recv(16))
        with self.changed:
            self.changed.wait_for(lambda: port in self.entries, PATIENCE * 2)
            connection.sendall(self.entries.pop(port, "it has not ended").encode())


def serve():
    diary = Diary()

    def attend(port, way, connection):
        with connection:
            connection.settimeout(PATIENCE)
            entry = way(connection)
        if entry is not None:
            diary.write(port, entry)

    def accept(port, way):
        door = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
        while True:
            threading.Thread(target=attend, args=(port, way, door.accept()[0]), daemon=True).start()

    for port, way in WAYS.items():
        threading.Thread(target=accept, args=(port, way), daemon=True).start()
    accept(DIARY, diary.answer)


class Caller:
    def __init__(self, host, family):
        family = socket.AF_INET6 if family == "6" else socket.AF_INET
        self.family = family
        self.address = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM)[0][4][0]

    def dial(self, port):
        connection = socket.socket(self.family)
        connection.settimeout(PATIENCE)
        connection.connect((self.address, port))
        return connection

    def diary(self, port):
        """How the server saw its last connection on `port` end. It must have been told promptly."""
        begun = time.monotonic()
        with self.dial(DIARY) as connection:
            connection.settimeout(PATIENCE * 2)
            connection.sendall(b"%d\n" % port)
            entry = connection.recv(1000).decode()
        return promptly(begun, entry)


def promptly(begun, entry):
    took = time.monotonic() - begun
    return entry if took < PROMPT else f"{entry}, after {took:.1f} s"


def the_client_ends_and_hears_the_answer(caller):
    connection = caller.dial(COUNT)
    connection.sendall(b"x" * 300000)
    connection.shutdown(socket.SHUT_WR)
    answer = connection.recv(1000).decode()
    return f"{answer.split()[0]} counted, {rest(connection)}"


def the_client_ends_without_a_word_and_hears_the_answer(caller):
    connection = caller.dial(COUNT)
    connection.shutdown(socket.SHUT_WR)
    return f"{connection.recv(1000).decode().split()[0]} counted, {rest(connection)}"


def the_server_ends_first_and_goes_on_listening(caller):
    connection = caller.dial(FAREWELL)
    told = rest(connection)
    connection.sendall(b"y" * 300000)
    connection.shutdown(socket.SHUT_WR)
    return f"{told}; the server: {caller.diary(FAREWELL)}"


def the_client_leaves_as_soon_as_it_is_connected(caller):
    caller.dial(LISTEN).close()
    return f"the server: {caller.diary(LISTEN)}"


def the_client_resets_after_some_bytes(caller):
    connection = caller.dial(LISTEN)
    connection.sendall(b"z" * 1000)
    time.sleep(0.2)
    reset(connection)
    return f"the server: {caller.diary(LISTEN)}"


def the_client_resets_without_a_word(caller):
    connection = caller.dial(LISTEN)
    time.sleep(0.2)
    reset(connection)
    return f"the server: {caller.diary(LISTEN)}"


def the_client_resets_after_its_end(caller):
    connection = caller.dial(STILL)
    connection.sendall(b"\n")
    connection.shutdown(socket.SHUT_WR)
    time.sleep(0.2)
    reset(connection)
    return f"the server: {caller.diary(STILL)}"


def the_server_resets_without_a_word(caller):
    begun = time.monotonic()
    try:
        connection = caller.dial(RESET)
    except ConnectionResetError:
        # A direct connection may break before connect() returns.
        return "0 bytes, then ECONNRESET"
    return promptly(begun, rest(connection))


def the_server_greets_and_resets(caller):
    connection = caller.dial(GREET_AND_RESET)
    greeting = connection.recv(5).decode()
    begun = time.monotonic()
    connection.sendall(b"\n")
    return promptly(begun, f"{greeting}; {rest(connection)}")


def the_server_resets_after_much(caller):
    connection = caller.dial(FLOOD_AND_RESET)
    connection.sendall(b"\n")
    read = 0
    while read < 256 << 16:
        read += len(connection.recv(1 << 16))
    begun = time.monotonic()
    connection.sendall(b"\n")
    return promptly(begun, f"{read} bytes; {rest(connection)}")


def the_server_resets_after_its_end(caller):
    connection = caller.dial(FAREWELL_AND_RESET)
    told = rest(connection)
    begun = time.monotonic()
    connection.sendall(b"\n")
    return promptly(begun, f"{told}; {fate(connection)}")


def the_server_is_gone_and_the_client_talks_on(caller):
    connection = caller.dial(LEAVE)
    greeting = connection.recv(5).decode()
    connection.sendall(b"hi\n")
    told = rest(connection)
    begun = time.monotonic()
    try:
        while time.monotonic() - begun < PATIENCE:
            connection.sendall(b"x" * 1000)
            time.sleep(0.01)
        return f"{greeting}, {told}; nobody objects"
    except (BrokenPipeError, ConnectionResetError):
        return promptly(begun, f"{greeting}, {told}; broken")


def the_server_is_dialled_once_for_each_connection(caller):
    counts = []
    for _ in range(3):
        connection = caller.dial(ADD)
        connection.sendall(b"\n")
        counts.append(connection.recv(100).decode())
        connection.close()
    return " ".join(counts)


def call(host, family, *cases):
    caller = Caller(host, family)
    for case in cases:
        try:
            outcome = globals()[case](caller)
        except OSError as error:
            outcome = f"failed: {error!r}"
        print(f"{case}: {outcome}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        call(*sys.argv[2:])
