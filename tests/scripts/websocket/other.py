"""Upgrades that are not WebSocket, and CONNECT: server on port 9000, or with arguments HOST PORT the client. More arguments are the
sidecars on the way."""

import socket
import socketserver
import sys


class Server(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            line = self.rfile.readline()
            if not line.strip():
                return
            method, target, version = line.decode().split()
            headers = {}
            while (field := self.rfile.readline().decode().strip()):
                name, value = field.split(":", 1)
                headers[name.lower()] = value.strip()
            length = int(headers.get("content-length", 0))
            body = self.rfile.read(length)
            if method == "CONNECT":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nx-target: %s\r\n\r\n" % target.encode())
            elif headers.get("upgrade") and "upgrade" in headers.get("connection", "").lower() and target != "/no":
                self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: %s\r\nx-method: %s\r\n\r\nwelcome " % (headers["upgrade"].encode(), method.encode()))
            else:
                told = f"{method} {target} {version} upgrade={headers.get('upgrade')} body={len(body)}".encode()
                self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(told), told))
                continue
            # What was switched to: everything comes back in capitals, until the end, and then a farewell.
            while (data := self.rfile.read1(65536)):
                self.wfile.write(data.upper())
            self.wfile.write(b" bye")
            return


def head(sock):
    told = b""
    while b"\r\n\r\n" not in told:
        more = sock.recv(65536)
        assert more, told
        told += more
    head, rest = told.split(b"\r\n\r\n", 1)
    return head.decode().lower(), rest


def ask(request, send=b"hello"):
    sock = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10)
    sock.sendall(request)
    told, rest = head(sock)
    if told.split()[1] in ("101",) or request.startswith(b"CONNECT"):
        sock.sendall(send)
        sock.shutdown(socket.SHUT_WR)
        while (more := sock.recv(65536)):
            rest += more
    return told, rest


def main():
    sidecars = sys.argv[3:]
    told, rest = ask(b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, keep-alive\r\nUpgrade: shout/1\r\n\r\n")
    assert told.startswith("http/1.1 101 ") and "upgrade: shout/1" in told and "connection: upgrade" in told, told
    assert rest == b"welcome HELLO bye", rest
    # What the client sends before it was answered belongs to the new protocol.
    told, rest = ask(b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: shout/1\r\n\r\nearly ")
    assert rest == b"welcome EARLY HELLO bye", rest
    told, rest = ask(b"POST /exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 0\r\n\r\n")
    assert told.startswith("http/1.1 101 ") and "x-method: post" in told and "upgrade: spdy/3.1" in told, told
    told, rest = ask(b"GET /no HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: shout/1\r\n\r\n")
    assert told.startswith("http/1.1 200 ") and b"upgrade=shout/1" in rest, (told, rest)
    # To HTTP/2 nobody is upgraded, and a request with a body is answered as if it had not asked.
    told, rest = ask(b"GET /h HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
    assert not sidecars or (told.startswith("http/1.1 200 ") and b"upgrade=None" in rest), (told, rest)
    told, rest = ask(b"POST /b HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: shout/1\r\nContent-Length: 3\r\n\r\nabc")
    assert not sidecars or (told.startswith("http/1.1 200 ") and b"upgrade=None body=3" in rest), (told, rest)
    told, rest = ask(b"CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n")
    assert told.startswith("http/1.1 200 ") and "x-target: db.example:5432" in told, told
    assert rest == b"HELLO bye", rest
    print("7 switches")


if len(sys.argv) > 1:
    main()
else:
    class Both(socketserver.ThreadingTCPServer):
        address_family = socket.AF_INET6
        allow_reuse_address = True
        daemon_threads = True

    Both(("::", 9000), Server).serve_forever()
