"""Says its name to whoever connects, and closes when he does: a server that speaks first. `named.py PORT NAME`."""

import socketserver
import sys


class Named(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(f"{sys.argv[2]}\n".encode())
        self.request.recv(1)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128


Server(("0.0.0.0", int(sys.argv[1])), Named).serve_forever()
