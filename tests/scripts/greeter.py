"""Greets on port 2525 of both families, and then echoes lines."""

import socketserver


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


Server(("::", 2525), Greeter).serve_forever()
