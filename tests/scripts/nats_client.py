"""nats_client.py HOST FAMILY: speaks NATS as its protocol is written, once after the server's first line and once before it."""

import json
import socket
import sys

host, family = sys.argv[1:]
number = socket.AF_INET6 if family == "6" else socket.AF_INET
address = socket.getaddrinfo(host, None, number, socket.SOCK_STREAM)[0][4][0]
HELLO = b'CONNECT {"verbose":false}\r\nPING\r\n'


def dial(polite):
    connection = socket.socket(number)
    connection.settimeout(5)
    connection.connect((address, 4222))
    stream = connection.makefile("rwb")
    if not polite:
        stream.write(HELLO)
        stream.flush()
    word, info = stream.readline().split(b" ", 1)
    assert word == b"INFO" and json.loads(info)["max_payload"] == 1 << 20, info
    if polite:
        stream.write(HELLO)
        stream.flush()
    assert stream.readline() == b"PONG\r\n"
    return stream


for polite in True, False:
    server, client = dial(polite), dial(polite)
    server.write(b"SUB ask 1\r\nPING\r\n")
    server.flush()
    assert server.readline() == b"PONG\r\n"
    payload = b"q" * (1 << 20)
    client.write(b"SUB answer 7\r\nPUB ask answer %d\r\n%s\r\n" % (len(payload), payload))
    client.flush()
    assert server.readline() == b"MSG ask 1 answer 1048576\r\n"
    assert server.read(len(payload) + 2) == payload + b"\r\n"
    server.write(b"PUB answer 2\r\nok\r\n")
    server.flush()
    print(client.readline().decode().strip(), client.readline().decode().strip())
