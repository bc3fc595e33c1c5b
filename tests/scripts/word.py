"""word.py serve             answers a Java debugger's greeting, a word without an end of line, with the same, on port 5005
word.py call HOST FAMILY  greets, and says what came back"""

import socket
import sys

WORD = b"JDWP-Handshake"


def serve():
    door = socket.create_server(("::", 5005), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        connection, _ = door.accept()
        with connection:
            connection.settimeout(4)
            try:
                connection.sendall(connection.recv(len(WORD)))
            except OSError as error:
                print(repr(error))


def call(host, family):
    number = socket.AF_INET6 if family == "6" else socket.AF_INET
    connection = socket.socket(number)
    connection.settimeout(4)
    connection.connect(socket.getaddrinfo(host, 5005, number, socket.SOCK_STREAM)[0][4])
    connection.sendall(WORD)
    try:
        print(connection.recv(100).decode())
    except TimeoutError:
        print("silence")


if sys.argv[1] == "serve":
    serve()
else:
    call(*sys.argv[2:])
