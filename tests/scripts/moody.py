"""moody.py PORT NAME: answers with its name in `x-from`; with 500 while there is a file `fails-NAME`; to `/slow` after half a second."""

import http.server
import os
import sys
import time

PORT, NAME = int(sys.argv[1]), sys.argv[2]


class Moody(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/slow"):
            time.sleep(0.5)
        self.send_response(500 if os.path.exists(f"fails-{NAME}") else 200)
        self.send_header("x-from", NAME)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("", PORT), Moody).serve_forever()
