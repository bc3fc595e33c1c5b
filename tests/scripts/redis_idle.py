"""redis_idle.py HOST SECONDS: a session and a subscription to Redis that are silent for a while, by both families, and then work."""

import secrets
import socket
import sys
import time

host, seconds = sys.argv[1], float(sys.argv[2])


def dial(family):
    connection = socket.socket(family)
    connection.settimeout(5)
    connection.connect(socket.getaddrinfo(host, 6379, family, socket.SOCK_STREAM)[0][4])
    return connection.makefile("rwb", buffering=0)


def ask(connection, command):
    connection.write(command + b"\r\n")
    return connection.readline().strip().decode()


def heard(subscriber):
    """A message of three words comes as an array of strings, each with its length before it."""
    return [subscriber.readline().strip().decode() for _ in range(7)][-1]


pairs = []
for family in socket.AF_INET, socket.AF_INET6:
    session, subscriber = dial(family), dial(family)
    topic = secrets.token_hex(8).encode()
    assert ask(session, b"PING") == "+PONG"
    subscriber.write(b"SUBSCRIBE %s\r\n" % topic)
    for _ in range(6):
        subscriber.readline()
    pairs.append((session, subscriber, topic))
time.sleep(seconds)
for session, subscriber, topic in pairs:
    print(ask(session, b"PUBLISH %s hello" % topic), heard(subscriber))
