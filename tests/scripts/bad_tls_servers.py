"""Servers that end mesh TLS badly, each in its own way: bad_tls_servers.py PORT=KIND...

A KIND is one of those below, or a NAME of which NAME.pem and NAME-key.pem of the working directory are shown. Says `listening` when all do.
"""

import os
import socket
import socketserver
import ssl
import sys
import threading
import time


def context(name, alpn=("weft/1",), version=ssl.TLSVersion.TLSv1_3):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = made.maximum_version = version
    made.load_cert_chain(f"{name}.pem", f"{name}-key.pem")
    if alpn:
        made.set_alpn_protocols(list(alpn))
    return made


def shows(made):
    def serve(line):
        with made.wrap_socket(line, server_side=True) as peer:
            while peer.recv(65536):
                pass

    return serve


def says(data):
    def serve(line):
        line.recv(65536)
        line.sendall(data)
        while line.recv(65536):
            pass

    return serve


def closes(line):
    line.recv(65536)


def is_silent(line):
    while line.recv(65536):
        pass


def serving(kind):
    match kind:
        case "only-tls-1-2":
            return shows(context("cart", version=ssl.TLSVersion.TLSv1_2))
        case "no-alpn":
            return shows(context("cart", alpn=()))
        case "plain":
            return says(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        case "junk":
            return says(os.urandom(1000))
        case "alert":
            return says(b"\x15\x03\x03\x00\x02\x02\x28")
        case "long-record":
            return says(b"\x16\x03\x03\xff\xff" + bytes(65535))
        case "closes":
            return closes
        case "silent":
            return is_silent
        case name:
            return shows(context(name))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True

    def __init__(self, port, kind):
        self.serve = serving(kind)
        super().__init__(("127.0.0.1", port), None)

    def finish_request(self, line, _):
        try:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.serve(line)
        except OSError:
            pass  # What was to be seen is what the other side makes of it.


for argument in sys.argv[1:]:
    port, kind = argument.split("=")
    threading.Thread(target=Server(int(port), kind).serve_forever, daemon=True).start()
print("listening", flush=True)
while True:
    time.sleep(60)
