"""A backend that reads HTTP/1.1 as strictly as RFC 9112 lets it, and writes down what it read.

    recorder.py PORT LOG

Every line of LOG is a JSON object: a request whose head arrived (`begun`), one that arrived whole (`read`), or what was wrong with
the bytes (`malformed`). A request is answered with its own method and target, so that nobody can take its answer for another's.
Bytes are told as the code points of the same numbers. A request that says in `X-Case` whose it is is told with that.
"""

import json
import re
import socket
import sys
import threading

LINE_MAX = 1 << 20
REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x22\x24-\x7e]+) HTTP/1\.([01])")
FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)[ \t]*")
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
DIGITS = re.compile(rb"[0-9]{1,18}")


class Malformed(Exception):
    pass


class Gone(Exception):
    pass


class Log:
    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")
        self.lock = threading.Lock()

    def write(self, **entry):
        with self.lock:
            self.file.write(json.dumps(entry) + "\n")
            self.file.flush()


def serve(connection, log):
    with connection, connection.makefile("rb") as stream:
        try:
            while exchange(connection, stream, log):
                pass
        except Malformed as error:
            log.write(event="malformed", why=str(error))
            answer(connection, b"400 Bad Request", b"malformed\n", b"Connection: close\r\n")
        except (Gone, OSError):
            pass


def exchange(connection, stream, log):
    """One request and its answer. False when no other can follow."""
    first = stream.readline(LINE_MAX)
    if not first:
        return False
    matched = REQUEST_LINE.fullmatch(whole_line(first))
    if not matched:
        raise Malformed(f"request line {first[:200]!r}")
    method, target, minor = matched.groups()
    fields = read_fields(stream)
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) > 1 or (minor == b"1" and not hosts):
        raise Malformed(f"{len(hosts)} Host fields")
    length, chunked = framing(fields, minor)
    told = {"method": text(method), "target": text(target), "host": text(b", ".join(hosts))}
    told["case"] = text(dict(fields).get(b"x-case", b""))
    told["fields"] = [[text(name), text(value)] for name, value in fields]
    log.write(event="begun", **told)
    if b"100-continue" in [value.lower() for name, value in fields if name == b"expect"]:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body, trailers = read_chunks(stream) if chunked else (read_exactly(stream, length), [])
    log.write(event="read", body=text(body), trailers=[text(name) for name, _ in trailers], **told)
    options = [value.lower() for name, value in fields if name == b"connection"]
    close = b"close" in options or (minor == b"0" and b"keep-alive" not in options)
    said = b"answer to " + method + b" " + target + b"\n"
    answer(connection, b"200 OK", said, b"Connection: close\r\n" if close else b"", method == b"HEAD")
    return not close


def answer(connection, status, body, fields=b"", head_only=False):
    head = b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%s\r\n" % (status, len(body), fields)
    connection.sendall(head if head_only else head + body)


def whole_line(line):
    if not line.endswith(b"\r\n"):
        raise Malformed(f"line without CRLF {line[:200]!r}") if line.endswith(b"\n") else Gone
    return line[:-2]


def read_fields(stream):
    fields = []
    while line := whole_line(stream.readline(LINE_MAX)):
        matched = FIELD.fullmatch(line)
        if not matched:
            raise Malformed(f"field {line[:200]!r}")
        fields.append((matched[1].lower(), matched[2]))
    return fields


def framing(fields, minor):
    """The body's length, and whether it comes in chunks."""
    codings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    lengths = [value for name, value in fields if name == b"content-length"]
    if codings and (codings != [b"chunked"] or lengths or minor == b"0"):
        raise Malformed(f"Transfer-Encoding {codings} and Content-Length {lengths} in HTTP/1.{text(minor)}")
    if lengths and (len(lengths) > 1 or not DIGITS.fullmatch(lengths[0])):
        raise Malformed(f"Content-Length {lengths}")
    return int(lengths[0]) if lengths else 0, bool(codings)


def read_exactly(stream, length):
    body = stream.read(length)
    if len(body) < length:
        raise Gone
    return body


def read_chunks(stream):
    body = b""
    while True:
        line = whole_line(stream.readline(LINE_MAX))
        matched = CHUNK.fullmatch(line)
        if not matched:
            raise Malformed(f"chunk size {line[:200]!r}")
        length = int(matched[1], 16)
        if length == 0:
            return body, read_fields(stream)
        body += read_exactly(stream, length)
        if (end := read_exactly(stream, 2)) != b"\r\n":
            raise Malformed(f"{end!r} after a chunk")


def text(data):
    return data.decode("latin-1")


def main():
    port, log = int(sys.argv[1]), Log(sys.argv[2])
    listener = socket.create_server(("0.0.0.0", port), backlog=512)
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(connection, log), daemon=True).start()


main()
