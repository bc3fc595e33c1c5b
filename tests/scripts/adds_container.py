"""adds_container.py PORT CERTIFICATE KEY: a mutating webhook that adds a container with a probe to every pod, once."""

import base64
import http.server
import json
import ssl
import sys

ADDED = {"name": "other", "image": "other", "livenessProbe": {"httpGet": {"path": "/", "port": 9000}}}


class Webhook(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))["request"]
        response = {"uid": request["uid"], "allowed": True}
        if all(container["name"] != "other" for container in request["object"]["spec"]["containers"]):
            patch = [{"op": "add", "path": "/spec/containers/-", "value": ADDED}]
            response |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
        answer = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


port, certificate, key = sys.argv[1:]
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Webhook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
