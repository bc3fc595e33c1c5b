"""What every abuser needs: a line to its victim, a time to stop, and no feelings when it is thrown out."""

import multiprocessing
import socket
import struct
import sys
import time

KINDS = {}


def kind(function):
    """An abuser, called with a `Victim` until the time is over; whatever the victim does to it is fine."""
    KINDS[function.__name__.replace("_", "-")] = function
    return function


class Victim:
    def __init__(self, host, port, seconds):
        self.host, self.port, self.end = host, port, time.monotonic() + seconds

    def has_time(self):
        return time.monotonic() < self.end

    def line(self, timeout=1.0):
        line = socket.create_connection((self.host, self.port), 5)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.settimeout(timeout)
        return line

    def lines(self, count):
        """As many as are to be had."""
        lines = []
        for _ in range(count):
            try:
                lines.append(self.line())
            except OSError:
                time.sleep(0.01)
        return lines

    def trickle(self, lines, byte):
        """One byte a second on every line."""
        while self.has_time():
            lines = [line for line in lines if sent(line, byte)]
            time.sleep(1)
        return len(lines)

    def stay(self):
        time.sleep(max(0, self.end - time.monotonic()))


def sent(line, data):
    try:
        line.sendall(data)
        return True
    except OSError:
        return False


def answer(line, length=65536):
    """What comes next; nothing, if nothing does."""
    try:
        return line.recv(length)
    except OSError:
        return b""


def reset(line):
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def live(name, host, port, seconds):
    victim, rounds, told = Victim(host, port, seconds), 0, ""
    while victim.has_time():
        try:
            told = KINDS[name](victim)
            rounds += 1
        except OSError as error:
            told = repr(error)
            time.sleep(0.01)
    print(f"{name}: {rounds} rounds, {told}", flush=True)


def main():
    """HOST SECONDS PORT:KIND...: all at once, each in a process of its own. A host may be a name."""
    host, seconds = socket.gethostbyname(sys.argv[1]), float(sys.argv[2])
    wanted = [argument.split(":") for argument in sys.argv[3:]]
    processes = [
        multiprocessing.Process(target=live, args=(name, host, int(port), seconds)) for port, name in wanted
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    sys.exit(max(process.exitcode for process in processes))
