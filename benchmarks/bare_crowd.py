"""The least that users who start together cost: a gevent socket, one connection, one request each, nothing else."""

from gevent import monkey

monkey.patch_all()  # as every program that uses gevent does

import socket  # noqa: E402 - see above
import sys  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402

LAST = {"connected": 0.0, "sent": 0.0}
"""When the last user so far was connected, and had sent its request."""


def user(address: tuple[str, int], request: bytes, kept: list[socket.socket]) -> None:
    """Open a connection, send one request, read its answer, keep the connection."""
    connection = socket.create_connection(address)
    LAST["connected"] = time.perf_counter()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(request)
    LAST["sent"] = time.perf_counter()
    assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
    kept.append(connection)


if __name__ == "__main__":
    users, port, hosts = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    began, used = time.perf_counter(), time.process_time()
    kept: list[socket.socket] = []
    asked = [f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() for host in hosts]
    crowd = [gevent.spawn(user, (hosts[n % len(hosts)], port), asked[n % len(hosts)], kept) for n in range(users)]
    gevent.joinall(crowd, raise_error=True)
    print(*(moment - began for moment in (*LAST.values(), time.perf_counter())), time.process_time() - used)
