"""WebSocket over HTTP/2 (RFC 8441) with prior knowledge. Arguments: host and port. Several WebSockets and a plain request share
one connection."""

import socket
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, TextMessage

host, port = sys.argv[1], int(sys.argv[2])
sock = socket.create_connection((host, port), timeout=10)
http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
http.initiate_connection()
sock.sendall(http.data_to_send())

heads, bodies, ended = {}, {}, set()


def hear(until):
    while not until():
        data = sock.recv(65536)
        assert data, "the server closed the connection"
        for event in http.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                heads[event.stream_id] = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                bodies.setdefault(event.stream_id, bytearray()).extend(event.data)
                http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                ended.add(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                raise AssertionError(f"reset {event.error_code}")
        sock.sendall(http.data_to_send())


hear(lambda: http.remote_settings.enable_connect_protocol == 1)


def send(stream, data):
    while data:
        room = min(http.local_flow_control_window(stream), http.max_outbound_frame_size)
        if room == 0:
            hear(lambda: http.local_flow_control_window(stream) > 0)
            continue
        http.send_data(stream, data[:room])
        data = data[room:]
        sock.sendall(http.data_to_send())


class WebSocket:
    def __init__(self):
        self.stream = http.get_next_available_stream_id()
        http.send_headers(
            self.stream,
            [
                (":method", "CONNECT"),
                (":protocol", "websocket"),
                (":scheme", "http"),
                (":path", "/chat?x=1"),
                (":authority", "app"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-protocol", "echo"),
                ("origin", "http://example.com"),
            ],
        )
        sock.sendall(http.data_to_send())
        hear(lambda: self.stream in heads)
        assert heads[self.stream][":status"] == "200", heads[self.stream]
        for name in ["sec-websocket-accept", "upgrade", "connection"]:
            assert name not in heads[self.stream], heads[self.stream]
        self.frames = Connection(ConnectionType.CLIENT)

    def echoed(self, event):
        send(self.stream, self.frames.send(event))
        data = b"" if isinstance(event, BytesMessage) else ""
        while True:
            for heard in self.frames.events():
                data += heard.data
                if heard.message_finished:
                    assert data == event.data, len(data)
                    return
            hear(lambda: bodies.get(self.stream))
            self.frames.receive_data(bytes(bodies.pop(self.stream)))

    def close(self):
        send(self.stream, self.frames.send(CloseConnection(code=1000)))
        hear(lambda: bodies.get(self.stream) or self.stream in ended)


sockets = [WebSocket() for _ in range(5)]
for n, one in enumerate(sockets):
    one.echoed(TextMessage(data=f"I am {n}"))
    one.echoed(BytesMessage(data=bytes(range(256)) * 1024))
for one in sockets:
    one.close()
head = heads[sockets[0].stream]
assert head["sec-websocket-protocol"] == "echo", head
print("5 sockets over", head.get("x-version", "1.1"))
