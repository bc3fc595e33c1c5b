"""An HTTP/2 server that behaves on each path as its name says, good or bad. It remembers what its clients did.

server.py PORT [WINDOW]: streams begin with a window of that size."""

import contextlib
import hashlib
import socket
import sys
import threading
import time
from collections import defaultdict
from urllib.parse import parse_qsl, urlsplit

from frames import (
    INITIAL_WINDOW_SIZE,
    NO_ERROR,
    REFUSED_STREAM,
    Closed,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    Link,
    Message,
    RstStreamFrame,
)

OK = [(":status", "200")]

# What happened to the calls of each name, and how often each was begun.
seen, begun = defaultdict(list), defaultdict(int)

# What ends answers that are held.
held = {}


class Serving(Link):
    """One connection of a client."""

    def __init__(self, sock, settings):
        super().__init__(sock, False, settings)
        self.requests, self.names = {}, {}

    def serve(self):
        try:
            while True:
                frame = self.receive()
                if isinstance(frame, GoAwayFrame):
                    seen["goaway"].append(frame.error_code)
                elif frame.stream_id:
                    self.take(frame)
        except (Closed, ConnectionError):
            for name in self.names.values():
                seen[name].append("closed")

    def take(self, frame):
        stream = frame.stream_id
        first = stream not in self.requests
        if first and not isinstance(frame, HeadersFrame):
            return
        request = self.requests.setdefault(stream, Message())
        request.take(frame)
        if isinstance(frame, RstStreamFrame):
            seen[self.names.get(stream)].append(frame.error_code)
        if first:
            url = urlsplit(request.get(":path"))
            options = dict(parse_qsl(url.query))
            self.names[stream] = options.get("name")
            begun[options.get("name")] += 1
            request.at_end, request.options = None, options
            getattr(self, url.path.strip("/").replace("-", "_"))(stream, request, **options)
        if request.ended and request.at_end:
            at_end, request.at_end = request.at_end, None
            at_end()

    def answer(self, stream, text, trailers=None):
        self.headers(stream, OK)
        self.data(stream, text if isinstance(text, bytes) else str(text).encode(), trailers is None)
        if trailers is not None:
            self.headers(stream, trailers, True)

    # What a path does, with what its query says.

    def hello(self, stream, request, name=None):
        self.answer(stream, "hello")

    def seen(self, stream, request, of):
        """What has become of calls so called. Waits for something to be known."""
        def tell():
            until = time.monotonic() + 5
            while not seen[of] and time.monotonic() < until:
                time.sleep(0.01)
            self.answer(stream, ",".join(map(str, seen[of])))

        threading.Thread(target=tell, daemon=True).start()

    def begun(self, stream, request, of):
        self.answer(stream, begun[of])

    def mute(self, stream, request, name):
        """No answer, ever."""

    def drip(self, stream, request, name):
        """An answer that never ends."""
        self.headers(stream, OK)
        self.data(stream, b"drop")

    def held(self, stream, request, name):
        """An answer that begins, and ends when told to."""
        self.headers(stream, OK)
        self.data(stream, b"held and ")
        held[name] = lambda: self.data(stream, b"let go", True)

    def let_go(self, stream, request, name):
        held.pop(name)()
        self.answer(stream, "")

    def slow(self, stream, request, seconds):
        threading.Timer(float(seconds), lambda: self.answer(stream, "at last")).start()

    def reset(self, stream, request, code):
        super().reset(stream, int(code))

    def reset_midway(self, stream, request, code):
        self.headers(stream, OK)
        self.data(stream, b"part")
        threading.Timer(0.1, lambda: super(Serving, self).reset(stream, int(code))).start()

    def refuse_once(self, stream, request, name):
        if begun[name] == 1:
            return super().reset(stream, REFUSED_STREAM)
        self.answer(stream, f"begun {begun[name]} times")

    def early(self, stream, request):
        """All of an answer, and no need of the rest of the request."""
        self.answer(stream, "enough")
        super().reset(stream, NO_ERROR)

    def upload(self, stream, request, name=None):
        request.at_end = lambda: self.answer(stream, f"{len(request.data)} {hashlib.sha256(request.data).hexdigest()}")

    def trailers(self, stream, request):
        """The trailers of the request, back as trailers."""
        request.at_end = lambda: self.answer(stream, request.data, [("x-status", "ended"), *(request.trailers or [])])

    def trailers_only(self, stream, request):
        self.headers(stream, [*OK, ("grpc-status", "5")], True)

    def hinted(self, stream, request):
        """Trailers right after the headers, without data between."""
        self.headers(stream, OK)
        self.headers(stream, [("x-status", "no data")], True)

    def reflect(self, stream, request):
        """The headers of the request, back as headers."""
        self.headers(stream, [*OK, *((key, value) for key, value in request.headers if not key.startswith(":"))], True)

    def stall(self, stream, request):
        """No answer, and no window for what comes."""
        self.stalled.add(stream)

    def padded(self, stream, request):
        self.headers(stream, OK)
        for letter in "abc":
            self.data(stream, letter.encode(), letter == "c", padding=200)

    def empties(self, stream, request, count):
        """Data with so many frames without data in it."""
        self.headers(stream, OK)
        self.data(stream, b"before ")
        for _ in range(int(count)):
            self.data(stream)
        self.data(stream, b"after", True)

    def bulk(self, stream, request, size, piece="16384"):
        """That many bytes in frames of `piece` bytes, as the windows allow."""

        def pour(left, piece):
            with contextlib.suppress(ConnectionError):
                go_on(left, piece)

        def go_on(left, piece):
            self.headers(stream, OK)
            while left and not request.reset:
                length = min(left, self.window(stream), 16384)
                if length <= 0:
                    time.sleep(0.002)
                    continue
                with self.sending:
                    self.spend(stream, length)
                left -= length
                data = b"y" * length
                self.send(*(DataFrame(stream, data[at : at + piece]) for at in range(0, length, piece)))
            self.data(stream, b"", True)

        # Not from the thread that hears of windows.
        threading.Thread(target=pour, args=(int(size), int(piece)), daemon=True).start()

    def goodbye_before(self, stream, request, name):
        """GOAWAY that does not count this request in, the first time it comes; the connection stays until its streams have ended."""
        if begun[name] > 1:
            return self.answer(stream, f"begun {begun[name]} times")
        self.goaway(stream - 2)

    def goodbye_after(self, stream, request):
        """GOAWAY that counts this request in; it is answered later."""
        self.goaway(stream)
        threading.Timer(0.5, lambda: self.answer(stream, "in spite of it")).start()

    def goodbye_and_crash(self, stream, request, name):
        """GOAWAY that counts this request in, and no answer."""
        self.goaway(stream)
        threading.Timer(0.1, lambda: self.sock.shutdown(socket.SHUT_RDWR)).start()

    def crash_midway(self, stream, request):
        self.headers(stream, OK)
        self.data(stream, b"part")
        threading.Timer(0.1, lambda: self.sock.shutdown(socket.SHUT_RDWR)).start()

    def lie(self, stream, request):
        """More data than content-length says."""
        self.headers(stream, [*OK, ("content-length", "3")])
        self.data(stream, b"much more", True)


settings = {INITIAL_WINDOW_SIZE: int(sys.argv[2])} if len(sys.argv) > 2 else {}
listener = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1000)


def serve(sock):
    try:
        Serving(sock, settings).serve()
    except (Closed, ConnectionError, AssertionError):
        sock.close()


while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
