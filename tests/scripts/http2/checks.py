"""What checks of HTTP/2 manners have in common: clients of the server under test, and what is expected of it."""

import contextlib
import secrets
import sys
import time
import types

from frames import Client

HOST, PORT = sys.argv[1], int(sys.argv[2])


def fresh():
    """A name for calls that no other check has."""
    return secrets.token_hex(8)


def connect(**more):
    return Client(HOST, PORT, **more)


def same(found, *expected):
    assert found in expected, f"{found!r}, not {' or '.join(map(repr, expected))}"


def seen(name, client=None):
    """What the server saw of the calls so called."""
    return (client or connect()).get(f"/seen?of={name}").data.decode()


def good(message, data=None):
    assert message.status == 200 and message.ended and message.reset is None, message
    if data is not None:
        same(message.data.decode(), data)


def hello(client=None):
    good((client or connect()).get("/hello"), "hello")


@contextlib.contextmanager
def gathered(client):
    """What is sent meanwhile goes out in one piece."""
    sock, pieces = client.sock, []
    client.sock = types.SimpleNamespace(sendall=pieces.append)
    yield
    client.sock = sock
    with contextlib.suppress(ConnectionError):
        sock.sendall(b"".join(pieces))


class Bystander:
    """Another client with a request under way and others to come; nothing may happen to them."""

    def __init__(self):
        self.client, self.name = connect(), fresh()
        self.held = self.client.ask(f"/held?name={self.name}")
        assert self.client.until(lambda: self.client.messages[self.held].data == b"held and "), self.client.messages

    def __enter__(self):
        return self

    def __exit__(self, *failed):
        if failed[0] is None:
            hello(self.client)
            good(self.client.get(f"/let-go?name={self.name}"))
            good(self.client.answer(self.held), "held and let go")
