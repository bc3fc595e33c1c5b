"""A server of no protocol: what it hears it says, byte by byte, but for the requests with which its client asks whether it is there.

    echo.py PORT
"""

import re
import socketserver
import sys

MARK = re.compile(rb"GET (/mark/\w+) HTTP/1\.1\r\n")


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(1 << 16):
            if matched := MARK.match(data):
                said = b"answer to GET %s\n" % matched[1]
                data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said)
            self.request.sendall(data)


socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer.daemon_threads = True
socketserver.ThreadingTCPServer(("0.0.0.0", int(sys.argv[1])), Echo).serve_forever()
