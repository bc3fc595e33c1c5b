"""On port 9100: to who says `flood`, bytes without end; to who says `count`, how many of them the kernel has taken so far."""

import socket
import threading

taken = 0


def attend(connection):
    global taken
    with connection:
        if connection.recv(6) == b"count\n":
            connection.sendall(b"%d\n" % taken)
            return
        try:
            while True:
                taken += connection.send(bytes(1 << 18))
        except OSError:
            pass


door = socket.create_server(("::", 9100), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
while True:
    threading.Thread(target=attend, args=(door.accept()[0],), daemon=True).start()
