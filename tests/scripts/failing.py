"""Fails as it is asked to: `failing.py PORT NAME FILE`.

Of the requests that have the same `id` in their query, the first `times` meet what `do` says, at whichever replica: a status, `reset`, `hang`,
`slow:MILLISECONDS` or `grpc:STATUS`. With `only` it is just the replica of that name that fails. The others are answered 200. Each leaves a line in FILE: its id, the time, our name, the length of its body.
"""

import fcntl
import socket
import struct
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

PORT, NAME, FILE = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def earlier(id, length):
    """How many of the same there were; this one is written down."""
    with open(FILE, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        count = 0
        if id:
            file.seek(0)
            count = sum(line.startswith(f"{id} ") for line in file)
        file.write(f"{id or '-'} {time.time():.6f} {NAME} {length}\n")
        return count


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def answer(self, status, more=()):
        body = f"{NAME} {self.headers.get('host')}\n".encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def body(self):
        if self.headers.get("transfer-encoding", "") != "chunked":
            return len(self.rfile.read(int(self.headers.get("content-length", 0))))
        length = 0
        while size := int(self.rfile.readline().split(b";")[0], 16):
            length += len(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return length

    def any(self):
        asked = dict(parse_qsl(urlsplit(self.path).query))
        fails = earlier(asked.get("id"), self.body()) < int(asked.get("times", "1")) and asked.get("only", NAME) == NAME
        do = asked.get("do", "200") if fails else "200"
        word, _, value = do.partition(":")
        if word == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
        elif word == "hang":
            time.sleep(60)
        elif word == "slow":
            time.sleep(int(value) / 1000)
            self.answer(200)
        elif word == "grpc":
            self.answer(200, [("grpc-status", value)])
        else:
            self.answer(int(word))

    do_GET = do_HEAD = do_POST = do_PUT = any

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


Server(("", PORT), Handler).serve_forever()
