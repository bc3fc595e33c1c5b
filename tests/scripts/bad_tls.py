"""Speaks TLS badly to one port, case by case, and tells how each ended and what was counted meanwhile.

bad_tls.py HOST PORT METRICS CASE...   one line per case: its name, how it ended, the reasons counted, separated by tabs

METRICS is the page of whoever answers at HOST:PORT. The case `shows NAME` takes NAME.pem and NAME-key.pem of the working directory.
ALPN in the environment is what the good part of every ClientHello offers; without it, what the mesh speaks.
"""

import os
import re
import select
import socket
import ssl
import struct
import sys
import time
import urllib.request

HOST, PORT, METRICS = sys.argv[1], int(sys.argv[2]), sys.argv[3]
OURS = (os.environ.get("ALPN", "weft/1"),)
HANDSHAKE, DATA, ALERT = 22, 23, 21
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CASES = {}


def case(function):
    CASES[function.__name__.replace("_", " ")] = function
    return function


def context(alpn=OURS, versions=(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_3), groups=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_ciphers("ALL:@SECLEVEL=0")
    made.minimum_version, made.maximum_version = versions
    if alpn:
        made.set_alpn_protocols(list(alpn))
    if groups:
        made.set_ecdh_curve(groups)
    return made


def connect():
    line = socket.create_connection((HOST, PORT), 5)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.settimeout(3)
    return line


def whole(line, data):
    line.sendall(data)


def shake(made, send=whole, say=REQUEST):
    """A handshake to its end, then a request. `send` is how bytes are put on the wire."""
    incoming, outgoing, line = ssl.MemoryBIO(), ssl.MemoryBIO(), connect()
    peer = made.wrap_bio(incoming, outgoing)

    def step(what):
        while True:
            try:
                return what()
            except ssl.SSLWantReadError:
                send(line, outgoing.read())
                data = line.recv(65536)
                incoming.write(data) if data else incoming.write_eof()

    try:
        step(peer.do_handshake)
        peer.write(say)
        send(line, outgoing.read())
        told = step(lambda: peer.read(65536))
        return f"open {peer.selected_alpn_protocol()} {told[:12].decode(errors='replace').strip()}" if told else "closed"
    except ssl.SSLError as error:
        return (error.reason or str(error)).lower().replace("_", " ")
    except TimeoutError:
        return "silent"
    except ConnectionError:
        return "reset"
    finally:
        line.close()


def hello(**how):
    """A ClientHello, as one record."""
    outgoing = ssl.MemoryBIO()
    peer = context(**how).wrap_bio(ssl.MemoryBIO(), outgoing)
    try:
        peer.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def without(record, extension):
    """The ClientHello `record` without one extension, its lengths mended."""
    at = 9 + 2 + 32
    at += 1 + record[at]
    at += 2 + struct.unpack_from(">H", record, at)[0]
    at += 1 + record[at]
    rest, kept = record[at + 2 :], b""
    while rest:
        number, length = struct.unpack_from(">HH", rest)
        kept += b"" if number == extension else rest[: 4 + length]
        rest = rest[4 + length :]
    body = record[9:at] + struct.pack(">H", len(kept)) + kept
    return in_record(b"\x01" + len(body).to_bytes(3, "big") + body)


def in_record(payload, kind=HANDSHAKE):
    return struct.pack(">BHH", kind, 0x0301, len(payload)) + payload


def raw(*pieces, end=None):
    """Sends pieces, the second one after the first was answered. How it ended, as far as it can be read from outside."""
    line = connect()
    heard = b""
    try:
        for piece in pieces:
            line.sendall(piece)
            if len(pieces) > 1 and piece is not pieces[-1]:
                heard += line.recv(65536)
        if end == "reset":
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return "left"
        if end == "close":
            line.shutdown(socket.SHUT_WR)
        while data := line.recv(65536):
            heard += data
        return told(heard) + "closed"
    except TimeoutError:
        return told(heard) + "silent"
    except ConnectionError:
        return told(heard) + "reset"
    finally:
        line.close()


def told(heard):
    """`http 400`, or the kinds of TLS records: the content of an alert is readable only while nothing is encrypted."""
    if heard.startswith(b"HTTP/"):
        return f"http {heard[9:12].decode()}, "
    kinds = []
    while len(heard) >= 5:
        kind, _, length = struct.unpack_from(">BHH", heard)
        kinds.append(f"alert {heard[6]}, " if kind == ALERT and length == 2 else "")
        heard = heard[5 + length :]
    return "".join(kinds)


@case
def no_certificate():
    return shake(context())


@case
def hello_byte_by_byte():
    def send(line, data):
        first = data[:1] == bytes([HANDSHAKE])
        for piece in [data[at : at + 1] for at in range(len(data))] if first else [data]:
            line.sendall(piece)

    return shake(context(), send)


@case
def hello_with_a_pause():
    """As when the network loses its second segment."""

    def send(line, data):
        middle = len(data) // 2 if data[:1] == bytes([HANDSHAKE]) else 0
        line.sendall(data[:middle])
        time.sleep(0.2 if middle else 0)
        line.sendall(data[middle:])

    return shake(context(), send)


@case
def hello_in_records_of_one_byte():
    def send(line, data):
        if data[:1] != bytes([HANDSHAKE]):
            return line.sendall(data)
        line.sendall(b"".join(in_record(data[at : at + 1]) for at in range(5, len(data))))

    return shake(context(), send)


@case
def mesh_beside_h2():
    return shake(context(alpn=("h2", *OURS, "http/1.1")))


@case
def junk_after_hello():
    return raw(hello(), os.urandom(400))


@case
def second_hello():
    return raw(hello(), hello())


@case
def data_instead_of_finished():
    return raw(hello(), in_record(os.urandom(100), DATA))


@case
def empty_record_after_hello():
    return raw(hello(), in_record(b""))


@case
def record_too_long_after_hello():
    return raw(hello(), in_record(os.urandom(16385 + 256), DATA))


@case
def record_of_no_kind_after_hello():
    return raw(hello(), in_record(b"x" * 20, 99))


@case
def another_protocol_inside():
    made = context()
    made.load_cert_chain("web.pem", "web-key.pem")
    return shake(made)


@case
def only_tls_1_2():
    return shake(context(versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)))


@case
def only_tls_1_0():
    return shake(context(versions=(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1)))


@case
def downgrade():
    return raw(without(hello(), 43))


@case
def only_a_foreign_group():
    return shake(context(groups="secp384r1"))


@case
def no_protocol_of_ours():
    return shake(context(alpn=("nobody",)))


@case
def close_after_hello():
    return raw(hello(), b"", end="close")


@case
def reset_after_hello():
    return raw(hello(), b"", end="reset")


@case
def half_a_hello():
    return raw(hello()[:200], end="close")


@case
def record_of_no_length():
    return raw(in_record(b""), end="close")


@case
def record_longer_than_allowed():
    return raw(struct.pack(">BHH", HANDSHAKE, 0x0301, 0xFFFF) + hello()[5:], end="close")


@case
def hello_of_16_mebibytes():
    return raw(in_record(b"\x01\xff\xff\xff" + hello()[9:]), end="close")


@case
def lengths_that_lie():
    honest = hello()
    return raw(honest[:43] + b"\xff" + honest[44:], end="close")


@case
def hello_for_h2():
    return shake(context(alpn=("h2",)), say=PREFACE)


@case
def hello_for_nothing():
    return shake(context(alpn=()))


@case
def hello_for_nothing_in_tls_1_2():
    return shake(context(alpn=(), versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)))


@case
def plain_text():
    return raw(REQUEST)


@case
def never_finishes():
    """Three who stop in the middle; the last one has said more than it should before it stops."""
    lines = [connect() for _ in range(3)]
    for line, said in zip(lines, (hello(), hello(), hello() + in_record(os.urandom(100), DATA))):
        line.sendall(said)
    return " ".join(patience(line) for line in lines)


@case
def crowd():
    """More than one address may have under way, all silent. How many were let go at once, and how many in the end."""
    lines = [connect() for _ in range(70)]
    time.sleep(0.5)
    ready, _, _ = select.select(lines, [], [], 0)
    ends = [patience(line) for line in lines if line not in ready]
    return f"{len(ready)} {ends.count('closed')}"


def patience(line):
    """Waits for the end, as long as anybody may."""
    line.settimeout(15)
    try:
        while line.recv(65536):
            pass
        return "closed"
    except TimeoutError:
        return "silent"
    except ConnectionError:
        return "reset"


def shows(name):
    made = context()
    made.load_cert_chain(f"{name}.pem", f"{name}-key.pem")
    return shake(made, say=PREFACE)


def counted():
    page = urllib.request.urlopen(METRICS, timeout=5).read().decode()
    return {
        labels: int(float(value))
        for labels, value in re.findall(r"^weft_(?:refusals|control_handshakes_failed)_total\{(.*)\} (\S+)$", page, re.M)
    }


def news(before):
    """Reasons counted since. What is to come comes within moments; nothing is known to have come only after a while."""
    after = before
    for _ in range(15):
        time.sleep(0.02)
        last, after = after, counted()
        if before != after == last:
            break
    added = ((labels, after[labels] - before.get(labels, 0)) for labels in sorted(after))
    return " ".join(f"{re.search('reason=.(.*?).(,|$)', labels)[1]}={count}" for labels, count in added if count)


for name in sys.argv[4:]:
    before = counted()
    outcome = shows(name.removeprefix("shows ")) if name.startswith("shows ") else CASES[name]()
    print(name, outcome, news(before), sep="\t", flush=True)
