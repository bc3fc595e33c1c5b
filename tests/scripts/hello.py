"""hello.py HOST PORT [FAMILY]: what a greeter says, or how the attempt to hear it ends."""

import errno
import socket
import sys

host, port, family = sys.argv[1], int(sys.argv[2]), int((sys.argv[3:] or "4")[0])
number = socket.AF_INET6 if family == 6 else socket.AF_INET
try:
    connection = socket.socket(number)
    connection.settimeout(8)
    connection.connect(socket.getaddrinfo(host, port, number, socket.SOCK_STREAM)[0][4])
    stream = connection.makefile("rwb", buffering=0)
    if greeting := stream.readline():
        stream.write(b"hello\r\n")
        print(greeting.decode().strip(), stream.readline().decode().strip())
    else:
        print("the end")
except OSError as error:
    print(errno.errorcode.get(error.errno, repr(error)))
