"""Abusers of TCP and HTTP/1."""

import time

from abuser import answer, kind, main, reset, sent

POST = b"POST /sink HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@kind
def slow_headers(victim):
    lines = victim.lines(200)
    for line in lines:
        sent(line, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    return victim.trickle(lines, b"a")


@kind
def slow_first_lines(victim):
    lines = victim.lines(100)
    for line in lines:
        sent(line, b"GET /")
    return victim.trickle(lines, b"a")


@kind
def slow_bodies(victim):
    lines = victim.lines(100)
    for line in lines:
        sent(line, POST + b"Content-Length: 1000000\r\n\r\n")
    return victim.trickle(lines, b"a")


@kind
def silent(victim):
    lines = victim.lines(500)
    victim.stay()
    return len(lines)


@kind
def flood(victim):
    """Opens and closes 2000 connections in all manners, then rests."""
    for number in range(2000):
        if not victim.has_time():
            break
        line = victim.line()
        if number % 3:
            sent(line, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[: number % 28])
        reset(line) if number % 2 else line.close()
        time.sleep(0.001)
    victim.stay()
    return number


@kind
def huge_headers(victim):
    """One huge field, many small ones, a huge target; the answer is read, if there is one."""
    told = []
    for block in (b"A: " + b"a" * (1 << 20), b"A: a\r\n" * 100_000, b""):
        line = victim.line()
        target = b"/" + b"a" * (1 << 20) if not block else b"/"
        sent(line, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n" + block + b"\r\n\r\n")
        told.append(answer(line)[9:12].decode())
        line.close()
        time.sleep(0.05)
    return told


@kind
def endless_body(victim):
    line = victim.line()
    chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"
    count = 0
    sent(line, CHUNKED)
    while victim.has_time() and sent(line, chunk):
        count += 1
        time.sleep(0.002)
    return f"{count} chunks"


@kind
def endless_trailers(victim):
    return endless(victim, CHUNKED + b"1\r\na\r\n0\r\n", b"X-More: " + b"a" * 1000 + b"\r\n")


@kind
def endless_chunk_extension(victim):
    return endless(victim, CHUNKED + b"1", b";a=" + b"a" * 1000)


@kind
def endless_chunk_size(victim):
    return endless(victim, CHUNKED, b"0" * 1000)


@kind
def endless_empty_lines(victim):
    return endless(victim, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n" * 500)


def endless(victim, first, more):
    line = victim.line()
    count = 0
    sent(line, first)
    while victim.has_time() and sent(line, more):
        count += 1
        time.sleep(0.0005)
    told = answer(line)[:12]
    line.close()
    time.sleep(0.01)
    return f"{count} pieces, {told}"


@kind
def never_reads(victim):
    lines = victim.lines(20)
    for line in lines:
        sent(line, b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
    victim.stay()
    return len(lines)


@kind
def never_reads_echo(victim):
    """Sends until nobody takes any more, and reads nothing of what comes back."""
    lines = victim.lines(20)
    count = 0
    for line in lines:
        line.setblocking(False)
    while victim.has_time():
        for line in list(lines):
            try:
                count += line.send(b"a" * 16384)
            except BlockingIOError:
                pass
            except OSError:
                lines.remove(line)
        time.sleep(0.01)
    return f"{len(lines)} lines, {count} bytes"


main()
