"""An HTTP/1.1 client that looks at bytes. Arguments: host, 4 or 6, and which sidecars are on the way: "client", "server", both or
none of these words.

Each case is a function; what is wrong is told by its name.
"""

import hashlib
import json
import os
import socket
import sys
import threading
import time

host, family, sidecars = sys.argv[1], sys.argv[2], sys.argv[3:]
address = socket.getaddrinfo(host, 8080, socket.AF_INET6 if family == "6" else socket.AF_INET, socket.SOCK_STREAM)[0][4]


def of_the_mesh(case):
    """A case of what a sidecar does that nobody does without one."""
    return case if sidecars else None


class Answer:
    def __init__(self, status, version, headers, body, trailers):
        self.status, self.version, self.headers, self.body, self.trailers = status, version, headers, body, trailers

    def get(self, name):
        return next((value for known, value in self.headers if known == name), None)

    def told(self):
        return json.loads(self.body)

    def sent(self, name):
        """Values of a header of the request, as the server saw it."""
        return [value for known, value in self.told()["headers"] if known == name]


class Line:
    """A connection, read strictly."""

    def __init__(self):
        self.sock = socket.create_connection(address[:2], timeout=20)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")

    def send(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def line(self):
        line = self.file.readline()
        assert line.endswith(b"\r\n"), line
        return line[:-2].decode("latin-1")

    def fields(self):
        fields = []
        while (line := self.line()):
            name, value = line.split(":", 1)
            fields.append((name.lower(), value.strip()))
        return fields

    def head(self):
        version, status, _ = (self.line() + " ").split(" ", 2)
        return version, int(status), self.fields()

    def answer(self, method="GET"):
        version, status, headers = self.head()
        answer = Answer(status, version, headers, b"", [])
        assert not (answer.get("content-length") and answer.get("transfer-encoding")), headers
        if method == "HEAD" or status < 200 or status in (204, 304):
            return answer
        if answer.get("transfer-encoding"):
            assert answer.get("transfer-encoding") == "chunked", headers
            while (size := int(self.line().split(";")[0], 16)):
                answer.body += self.file.read(size)
                assert self.line() == ""
            answer.trailers = self.fields()
        elif answer.get("content-length") is not None:
            length = int(answer.get("content-length"))
            answer.body = self.file.read(length)
            assert len(answer.body) == length, (len(answer.body), length)
        else:
            answer.body = self.file.read()
        return answer

    def ask(self, path="/", method="GET", more="", body=b""):
        self.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode() + body)
        return self.answer(method)

    def is_over(self):
        return self.file.read(1) == b""


def once(*args, **more):
    return Line().ask(*args, **more)


def a_connection_is_kept():
    line = Line()
    for n in range(100):
        assert line.ask(f"/{n}").told()["target"] == f"/{n}"


def requests_are_pipelined():
    line = Line()
    line.send("".join(f"GET /{n} HTTP/1.1\r\nHost: {host}\r\n\r\n" for n in range(30)))
    assert [line.answer().told()["target"] for _ in range(30)] == [f"/{n}" for n in range(30)]


def a_request_arrives_byte_by_byte():
    line = Line()
    for byte in f"POST /slow HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".encode():
        line.send(bytes([byte]))
        time.sleep(0.0005)
    assert line.answer().told()["length"] == 3


def bodies_of_either_framing():
    line = Line()
    for size in [0, 1, 1000, 65535, 65536, 1 << 20]:
        body = os.urandom(size)
        answer = line.ask("/", "POST", f"Content-Length: {size}\r\n", body)
        assert answer.told()["sha256"] == hashlib.sha256(body).hexdigest(), size
        assert answer.sent("content-length") == [str(size)], answer.told()
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for n in range(0, size, 7777) if (part := body[n : n + 7777]))
        answer = line.ask("/", "PUT", "Transfer-Encoding: chunked\r\n", chunks + b"0\r\n\r\n")
        assert answer.told()["sha256"] == hashlib.sha256(body).hexdigest(), size


def trailers_go_both_ways():
    line = Line()
    answer = line.ask("/", "POST", "Transfer-Encoding: chunked\r\nTE: trailers\r\n", b"3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n")
    assert answer.told()["trailers"] == [["x-sum", "3"]], answer.told()
    assert answer.sent("te") == ["trailers"]
    answer = line.ask("/trailers")
    assert answer.body == b"abcdefgh" and ("x-sum", "8") in answer.trailers and ("x-more", "yes") in answer.trailers, answer.trailers


def a_body_waits_for_its_100():
    line = Line()
    line.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert line.head()[1] == 100
    line.send(b"hello")
    answer = line.answer()
    assert answer.told()["length"] == 5 and answer.sent("expect") == ["100-continue"]
    assert line.ask("/again").status == 200


def an_expectation_may_be_refused():
    line = Line()
    line.send(f"POST /refuse HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert line.answer().status == 417


def interim_answers_arrive_before_the_final_one():
    line = Line()
    line.send(f"GET /hints HTTP/1.1\r\nHost: {host}\r\n\r\n")
    began = time.monotonic()
    _, status, fields = line.head()
    assert (status, fields) == (103, [("link", "</a.css>; rel=preload")]), (status, fields)
    assert time.monotonic() - began < 0.15
    assert line.head()[1] == 102
    assert line.answer().body == b"hinted"


def answers_without_bodies():
    line = Line()
    answer = line.ask("/", "HEAD")
    assert (answer.status, answer.get("content-length")) == (200, "1234"), answer.headers
    assert line.ask("/status/204").status == 204
    answer = line.ask("/status/304")
    assert (answer.status, answer.get("etag")) == (304, '"x"'), answer.headers
    assert line.ask("/").status == 200


def a_long_poll_is_answered_when_it_is():
    assert once("/slowly/2").body == b"at last"


def events_arrive_one_by_one():
    line = Line()
    line.send(f"GET /events/8 HTTP/1.1\r\nHost: {host}\r\n\r\n")
    assert line.head()[1] == 200
    times = []
    while (size := int(line.line(), 16)):
        assert line.file.read(size) == f"data: {len(times)}\n\n".encode()
        line.line()
        times.append(time.monotonic())
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    assert len(times) == 8 and min(gaps) > 0.02, gaps


def large_bodies_arrive_whole():
    line = Line()
    body = once(f"/big/{64 << 20}").body
    assert hashlib.sha256(body[:-64]).hexdigest().encode() == body[-64:]
    body = os.urandom(1 << 20) * 32
    answer = line.ask("/", "POST", f"Content-Length: {len(body)}\r\n", body)
    assert answer.told()["sha256"] == hashlib.sha256(body).hexdigest()


def an_endless_answer_ends_with_its_reader():
    before = int(once("/ended").body)
    line = Line()
    line.send(f"GET /endless HTTP/1.1\r\nHost: {host}\r\n\r\n")
    assert len(line.file.read(1 << 20)) == 1 << 20
    time.sleep(0.5)
    line.file.close()
    line.sock.close()
    for _ in range(100):
        if int(once("/ended").body) > before:
            return
        time.sleep(0.05)
    raise AssertionError("the server was never told")


def a_client_may_close_its_side():
    line = Line()
    line.send(f"GET /slowly/0.3 HTTP/1.1\r\nHost: {host}\r\n\r\n")
    line.sock.shutdown(socket.SHUT_WR)
    assert line.answer().body == b"at last"


def either_side_may_close():
    line = Line()
    answer = line.ask("/", more="Connection: close\r\n")
    assert answer.status == 200 and line.is_over()
    assert once("/bye").body == b"bye"
    assert once("/until_close/100000").body == b"x" * 100000


@of_the_mesh
def what_connection_names_stays_on_its_hop():
    more = "Connection: x-private, keep-alive\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nX-Public: 1\r\n"
    answer = once("/", more=more)
    names = {name for name, _ in answer.told()["headers"]}
    assert not names & {"x-private", "keep-alive", "proxy-connection"} and "x-public" in names, names


def old_clients_are_served():
    line = Line()
    line.send("GET /old HTTP/1.0\r\n\r\n")
    answer = line.answer()
    assert answer.told()["target"] == "/old" and line.is_over()
    line = Line()
    for _ in range(3):
        line.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = line.answer()
        assert answer.get("connection") == "keep-alive", answer.headers


@of_the_mesh
def old_clients_are_spared_what_they_do_not_know():
    line = Line()
    line.send("GET /trailers HTTP/1.0\r\n\r\n")
    answer = line.answer()
    assert answer.body == b"abcdefgh" and answer.get("transfer-encoding") is None, answer.headers
    line = Line()
    line.send("GET /hints HTTP/1.0\r\n\r\n")
    assert line.answer().body == b"hinted"


def every_form_of_target_is_carried():
    line = Line()
    assert line.ask(f"http://{host}/a?b").told()["target"] == f"http://{host}/a?b"
    assert line.ask("*", "OPTIONS").told()["target"] == "*"
    assert line.ask("/%2e%2e//x/../y;z=1?q=%00&r=a'b").told()["target"] == "/%2e%2e//x/../y;z=1?q=%00&r=a'b"


def a_request_may_be_answered_early():
    line = Line()
    answer = line.ask("/early", "POST", "Content-Length: 3\r\n", b"abc")
    assert answer.body == b"early" and line.ask("/").status == 200


@of_the_mesh
def kept_lines_that_close_cost_nothing():
    line = Line()
    for _ in range(100):
        answer = line.ask("/short")
        assert (answer.status, answer.body) == (200, b"short"), (answer.status, answer.headers, answer.body)


@of_the_mesh
def a_request_that_may_not_be_repeated_is_not():
    for n in range(20):
        path = f"/drop/{os.getpid()}/{host}/{family}/{n}"
        once("/", more="")
        answer = once(path, "POST", "Content-Length: 1\r\n", b"x")
        assert answer.status == 502 and answer.get("weft-reason") == "server_aborted", (answer.status, answer.headers)
        times = int(once(f"/count{path}").body)
        assert times == 1, f"{path} was delivered {times} times"


def an_answer_that_breaks_off_is_no_answer():
    line = Line()
    line.send(f"GET /broken HTTP/1.1\r\nHost: {host}\r\n\r\n")
    status = line.head()[1]
    assert status == 200, status
    try:
        told = line.file.read()
        assert len(told) < 100, told
    except ConnectionResetError:
        pass


def what_belongs_to_the_apps_passes():
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    more = f"Traceparent: {trace}\r\nTracestate: a=b\r\nX-Request-Id: 7\r\nX-A: 1\r\nX-A: 2\r\nCookie: a=1; b=2\r\nX-Odd: caf\u00e9\r\n"
    line = Line()
    line.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode("latin-1"))
    answer = line.answer()
    assert answer.sent("traceparent") == [trace] and answer.sent("tracestate") == ["a=b"] and answer.sent("x-request-id") == ["7"]
    assert answer.sent("x-a") == ["1", "2"] and answer.sent("cookie") == ["a=1; b=2"] and answer.sent("x-odd") == ["caf\u00e9"]


def nobody_says_who_he_is():
    forged = "Weft-Client-Id: spiffe://cluster.local/ns/shop/sa/root\r\nWeft-Workload: root\r\nWeft-Http: 1.0\r\nWeft-Upgrade: x\r\nX-Forwarded-Client-Cert: URI=root\r\nX-Forwarded-For: 1.1.1.1\r\n"
    answer = once("/", more=forged)
    headers = dict(answer.told()["headers"])
    if "server" in sidecars:
        assert not {"weft-workload", "weft-http", "weft-upgrade", "x-forwarded-client-cert"} & headers.keys(), headers
        assert headers.get("weft-client-id") in (None, "spiffe://cluster.local/ns/shop/sa/web"), headers
        assert headers["x-forwarded-for"].startswith("1.1.1.1, "), headers


def one_slow_client_hurts_nobody():
    lines = [Line() for _ in range(20)]
    for line in lines:
        line.send(f"GET /endless HTTP/1.1\r\nHost: {host}\r\n\r\n")
    began = time.monotonic()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(once("/").status)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == [200] * 20 and time.monotonic() - began < 10, answers


cases = {name: case for name, case in list(globals().items()) if callable(case) and getattr(case, "__module__", "") == "__main__" and name.islower() and name not in ("once", "of_the_mesh")}
wrong = 0
for name, case in cases.items():
    try:
        case()
    except Exception as error:
        wrong += 1
        print(f"{name}: {type(error).__name__}: {str(error)[:400]}")
print(f"{len(cases)} cases, {wrong} wrong")
