"""greeter.py [ADDRESS [PORT]]: greets, and then echoes lines. Without an address on both families, without a port on 2525."""

import socketserver
import sys


class Greeter(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 welcome\r\n")
        for line in self.rfile:
            self.wfile.write(b"250 " + line)


class Server(socketserver.ThreadingTCPServer):
    address_family = socketserver.socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024


address = sys.argv[1] if len(sys.argv) > 1 else "::"
port = sys.argv[2] if len(sys.argv) > 2 else 2525
if ":" not in address:
    Server.address_family = socketserver.socket.AF_INET
Server((address, int(port)), Greeter).serve_forever()
