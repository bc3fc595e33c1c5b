"""An app that answers requests of `/answer/N` with the bytes of entry N of a file, whatever they are, and everything else well.

    liar.py PORT FILE

FILE holds a JSON array of `{"pieces", "close"}`. Bytes are told as the code points of the same numbers.
"""

import json
import socket
import sys
import threading
import time

# Between two pieces, so that the second arrives when the first has been dealt with.
PAUSE = 0.02


def serve(connection, answers):
    with connection, connection.makefile("rb") as stream:
        try:
            while answer_one(connection, stream, answers):
                pass
        except OSError:
            pass


def answer_one(connection, stream, answers):
    words = stream.readline().split()
    if len(words) != 3:
        return False
    while (line := stream.readline()) != b"\r\n":
        if not line:
            return False
    method, target, _ = words
    if not target.startswith(b"/answer/"):
        said = b"answer to " + method + b" " + target + b"\n"
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))
        return True
    answer = answers[int(target.rpartition(b"/")[2])]
    for number, piece in enumerate(answer["pieces"]):
        if number:
            time.sleep(PAUSE)
        connection.sendall(piece.encode("latin-1"))
    return not answer["close"]


def main():
    with open(sys.argv[2], encoding="utf-8") as file:
        answers = json.load(file)
    listener = socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=512)
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(connection, answers), daemon=True).start()


main()
