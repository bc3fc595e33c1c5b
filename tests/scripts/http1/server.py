"""An HTTP/1.1 server on port 8080 that does by the path what a client asks to see, and says nothing it was not told to say.

Every answer is written by hand: what arrives at the client is what the mesh made of these bytes.
"""

import hashlib
import json
import os
import socket
import socketserver
import threading
import time

seen = {}
lock = threading.Lock()


class Request:
    def __init__(self, line, headers, trailers=None, body=b""):
        self.method, self.target, self.version = line.split()
        self.headers, self.trailers, self.body = headers, trailers or [], body

    def get(self, name, default=None):
        return next((value for known, value in self.headers if known == name), default)

    def told(self):
        return json.dumps(
            {
                "method": self.method,
                "target": self.target,
                "version": self.version,
                "headers": self.headers,
                "trailers": self.trailers,
                "length": len(self.body),
                "sha256": hashlib.sha256(self.body).hexdigest(),
            }
        ).encode()


class Server(socketserver.StreamRequestHandler):
    def fields(self):
        fields = []
        while (line := self.rfile.readline().rstrip(b"\r\n")):
            name, value = line.decode("latin-1").split(":", 1)
            fields.append((name.lower(), value.strip()))
        return fields

    def say(self, text):
        self.wfile.write(text if isinstance(text, bytes) else text.encode())

    def answer(self, body=b"", status="200 OK", extra=""):
        if self.must_say_that_it_keeps and "Connection" not in extra:
            extra += "Connection: keep-alive\r\n"
        self.say(f"HTTP/1.1 {status}\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def chunks(self):
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            if size == 0:
                return
            yield self.rfile.read(size)
            self.rfile.readline()

    def handle(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        served = 0
        while (line := self.rfile.readline().decode("latin-1").strip()):
            request = Request(line, self.fields())
            self.must_say_that_it_keeps = request.version == "HTTP/1.0" and "keep-alive" in request.get("connection", "").lower()
            path = request.target.split("?")[0].strip("/").split("/")
            with lock:
                seen[request.target] = seen.get(request.target, 0) + 1
            if request.get("expect") and path[0] != "refuse":
                self.say("HTTP/1.1 100 Continue\r\n\r\n")
            if request.get("expect") and path[0] == "refuse":
                self.say("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            if path[0] == "slowly":
                time.sleep(float(path[1]))
            if request.get("transfer-encoding"):
                request.body = b"".join(self.chunks())
                request.trailers = self.fields()
            else:
                request.body = self.rfile.read(int(request.get("content-length", 0)))
            served += 1
            over = getattr(self, path[0] or "root", self.root)(request, *path[1:]) == "close"
            options = request.get("connection", "").lower()
            if over or "close" in options or (request.version == "HTTP/1.0" and "keep-alive" not in options):
                return

    def root(self, request, *_):
        if request.method == "HEAD":
            self.say("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
        else:
            self.answer(request.told())

    def count(self, request, *rest):
        with lock:
            self.answer(str(seen.get("/" + "/".join(rest), 0)).encode())

    def status(self, request, code):
        extra = "ETag: \"x\"\r\nContent-Length: 77\r\n" if code == "304" else ""
        self.say(f"HTTP/1.1 {code} Whatever\r\n{extra}\r\n")

    def trailers(self, request):
        self.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n5;x=y\r\ndefgh\r\n0\r\nX-Sum: 8\r\nX-More: yes\r\n\r\n")

    def hints(self, request):
        self.say("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        self.say("HTTP/1.1 102 Processing\r\n\r\n")
        time.sleep(0.2)
        self.answer(b"hinted")

    def events(self, request, count):
        self.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for n in range(int(count)):
            event = f"data: {n}\n\n"
            self.say(f"{len(event):x}\r\n{event}\r\n")
            time.sleep(0.1)
        self.say("0\r\n\r\n")

    def until_close(self, request, length):
        self.say("HTTP/1.0 200 OK\r\n\r\n")
        self.say(b"x" * int(length))
        return "close"

    def bye(self, request):
        self.answer(b"bye", extra="Connection: close\r\n")
        return "close"

    def drop(self, request):
        """Reads the request and closes without a word."""
        return "close"

    def short(self, request):
        """Closes after every answer, as servers do that keep connections for a moment only, without saying so."""
        self.answer(b"short")
        return "close"

    def broken(self, request):
        self.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        return "close"

    def endless(self, request):
        self.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"10000\r\n" + b"e" * 65536 + b"\r\n"
        try:
            while True:
                self.say(piece)
        except OSError:
            with lock:
                seen["endless ended"] = seen.get("endless ended", 0) + 1
            return "close"

    def ended(self, request):
        with lock:
            self.answer(str(seen.get("endless ended", 0)).encode())

    def big(self, request, length):
        piece = os.urandom(1 << 16)
        length = int(length)
        digest = hashlib.sha256()
        self.say(f"HTTP/1.1 200 OK\r\nContent-Length: {length + 64}\r\n\r\n")
        while length:
            part = piece[:length]
            digest.update(part)
            self.say(part)
            length -= len(part)
        self.say(digest.hexdigest())

    def slowly(self, request, *_):
        self.answer(b"at last")

    def early(self, request):
        self.answer(b"early")


class Both(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


Both(("::", 8080), Server).serve_forever()
