"""One end of an HTTP/2 connection, frame by frame: it does what it is told, and nothing of its own but to acknowledge."""

import socket
import threading
import time

import hpack
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED = 0, 1, 2, 3, 5
REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 7, 8, 11

HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 1, 3, 4


class Closed(Exception):
    """The other end closed the connection."""


class Link:
    """A connection. `windows` opens both kinds of windows again as data comes, but for streams that are `stalled`."""

    def __init__(self, sock, client, settings=None, windows=True):
        self.sock = sock
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sending = threading.RLock()
        self.windows, self.stalled = windows, set()
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder(max_header_list_size=1 << 24)
        # What the other end lets us send: on the connection, at first on a stream, on streams in particular.
        self.may_send, self.initial, self.streams = 65535, 65535, {}
        self.block = b""
        if client:
            self.sock.sendall(PREFACE)
        else:
            assert self.read(len(PREFACE)) == PREFACE
        self.send(SettingsFrame(0, settings=settings or {}))

    def send(self, *frames):
        with self.sending:
            self.sock.sendall(b"".join(frame.serialize() for frame in frames))

    def headers(self, stream, headers, end=False, **more):
        """HEADERS, with as many CONTINUATIONs as it takes."""
        with self.sending:
            block = self.encoder.encode(headers, huffman=False)
            pieces = [block[at : at + 16000] for at in range(0, len(block), 16000)] or [b""]
            frames = [HeadersFrame(stream, pieces[0], **more)] + [ContinuationFrame(stream, piece) for piece in pieces[1:]]
            frames[0].flags |= {"END_STREAM"} if end else set()
            frames[-1].flags.add("END_HEADERS")
            self.send(*frames)

    def data(self, stream, data=b"", end=False, padding=None):
        """One DATA frame, whatever the windows say."""
        frame = DataFrame(stream, data)
        if padding is not None:
            frame.flags.add("PADDED")
            frame.pad_length = padding
        if end:
            frame.flags.add("END_STREAM")
        self.send(frame)

    def reset(self, stream, code):
        self.send(RstStreamFrame(stream, error_code=code))

    def goaway(self, last, code=NO_ERROR):
        self.send(GoAwayFrame(0, last_stream_id=last, error_code=code))

    def read(self, length):
        data = b""
        while len(data) < length:
            piece = self.sock.recv(length - len(data))
            if not piece:
                raise Closed
            data += piece
        return data

    def receive(self):
        """The next frame that matters. Header blocks come whole, decoded into `headers`."""
        while True:
            frame, length = Frame.parse_frame_header(memoryview(self.read(9)))
            frame.parse_body(memoryview(self.read(length)))
            if isinstance(frame, SettingsFrame):
                self.settle(frame)
            elif isinstance(frame, PingFrame) and "ACK" not in frame.flags:
                self.send(PingFrame(0, frame.opaque_data, flags=["ACK"]))
            elif isinstance(frame, WindowUpdateFrame):
                self.widen(frame)
                return frame
            elif isinstance(frame, HeadersFrame | ContinuationFrame):
                self.block = self.block + frame.data if isinstance(frame, ContinuationFrame) else frame.data
                self.head = frame if isinstance(frame, HeadersFrame) else self.head
                if "END_HEADERS" in frame.flags:
                    self.head.headers = [(str(k), str(v)) for k, v in self.decoder.decode(self.block)]
                    return self.head
            else:
                if isinstance(frame, DataFrame) and self.windows and frame.flow_controlled_length:
                    opened = (0,) if frame.stream_id in self.stalled else (0, frame.stream_id)
                    self.send(*(WindowUpdateFrame(at, window_increment=frame.flow_controlled_length) for at in opened))
                return frame

    def settle(self, frame):
        if "ACK" in frame.flags:
            return
        if INITIAL_WINDOW_SIZE in frame.settings:
            more = frame.settings[INITIAL_WINDOW_SIZE] - self.initial
            self.initial += more
            self.streams = {stream: window + more for stream, window in self.streams.items()}
        self.send(SettingsFrame(0, flags=["ACK"]))

    def widen(self, frame):
        if frame.stream_id == 0:
            self.may_send += frame.window_increment
        else:
            self.streams[frame.stream_id] = self.streams.get(frame.stream_id, self.initial) + frame.window_increment

    def window(self, stream):
        return min(self.may_send, self.streams.get(stream, self.initial))

    def spend(self, stream, length):
        self.may_send -= length
        self.streams[stream] = self.streams.get(stream, self.initial) - length


class Message:
    """What came on one stream so far."""

    def __init__(self):
        self.headers, self.data, self.trailers, self.reset, self.ended = None, b"", None, None, False
        self.frames = []

    @property
    def status(self):
        return int(dict(self.headers)[":status"]) if self.headers else None

    def get(self, name):
        return dict(self.headers or []).get(name)

    @property
    def over(self):
        return self.ended or self.reset is not None

    def take(self, frame):
        if isinstance(frame, WindowUpdateFrame):
            return
        self.frames.append(frame)
        if isinstance(frame, RstStreamFrame):
            self.reset = frame.error_code
        elif isinstance(frame, DataFrame):
            self.data += frame.data
        elif isinstance(frame, HeadersFrame) and self.headers is None:
            self.headers = frame.headers
        elif isinstance(frame, HeadersFrame):
            self.trailers = frame.headers
        self.ended |= "END_STREAM" in getattr(frame, "flags", ())

    def __repr__(self):
        data = self.data.decode(errors="replace") if len(self.data) < 300 else f"{len(self.data)} bytes"
        return f"<{self.status} {data!r} trailers {self.trailers} reset {self.reset} ended {self.ended}>"


class Client(Link):
    """A client with many streams, driven by one thread."""

    def __init__(self, host, port, settings=None, windows=True):
        self.host = host
        super().__init__(socket.create_connection((host, port), 10), True, settings, windows)
        self.next, self.messages = 1, {}
        self.farewell, self.closed, self.pongs = None, False, []

    def ask(self, path, method="GET", headers=(), end=True, **more):
        """Begins a request. Returns its stream."""
        stream, self.next = self.next, self.next + 2
        self.messages[stream] = Message()
        head = [(":method", method), (":scheme", "http"), (":authority", self.host), (":path", path), *headers]
        self.headers(stream, head, end, **more)
        return stream

    def until(self, truth, patience=10):
        """Receives until `truth()` or the connection's end. Returns whether it came true."""
        deadline = time.monotonic() + patience
        while not truth():
            self.sock.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                frame = self.receive()
            except TimeoutError:
                break
            except (Closed, ConnectionError):
                self.closed = True
                break
            if isinstance(frame, GoAwayFrame):
                self.farewell = frame
            elif isinstance(frame, PingFrame):
                self.pongs.append(frame.opaque_data)
            elif frame.stream_id in self.messages:
                self.messages[frame.stream_id].take(frame)
        self.sock.settimeout(10)
        return truth()

    def answer(self, *streams, patience=10):
        """Waits for the end of these streams. Returns what came, of one stream as it is, of several in a list."""
        messages = [self.messages[stream] for stream in streams]
        self.until(lambda: all(message.over for message in messages), patience)
        return messages if len(messages) > 1 else messages[0]

    def get(self, path, patience=10, **more):
        return self.answer(self.ask(path, **more), patience=patience)

    def upload(self, stream, data, end=True, padding=None):
        """Sends data as the windows allow."""
        while data:
            room = lambda: self.window(stream) > (padding or 0) + 1 or self.messages[stream].over
            if not self.until(room) or self.messages[stream].over:
                return
            extra = 0 if padding is None else padding + 1
            piece = data[: min(self.window(stream) - extra, 16384 - extra)]
            data = data[len(piece) :]
            self.spend(stream, len(piece) + extra)
            self.data(stream, piece, end and not data, padding)

    def close(self):
        self.sock.close()
