"""On port 9100 sends bytes without end, and on port 9101 says how many of them the kernel has taken on the connections so far."""

import socket
import threading

taken = 0


def flood(connection):
    global taken
    try:
        while True:
            taken += connection.send(bytes(1 << 18))
    except OSError:
        pass


def accept(port, attend):
    door = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
    while True:
        threading.Thread(target=attend, args=(door.accept()[0],), daemon=True).start()


def tell(connection):
    with connection:
        connection.sendall(b"%d\n" % taken)


threading.Thread(target=accept, args=(9101, tell), daemon=True).start()
accept(9100, flood)
