"""The ceiling of a scripted WebSocket client: a gevent socket, frames by hand, a loop, nothing else.

Each message is masked with a key of its own, and its echo compared with it.
"""

from gevent import monkey

monkey.patch_all()  # as every program that uses gevent does

import socket  # noqa: E402 - see above
import struct  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from random import randbytes  # noqa: E402

import gevent  # noqa: E402
from websockets.speedups import apply_mask  # noqa: E402

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def user(port: int, message: bytes, end: float) -> None:
    """Send a text message and receive its echo, again and again on one connection."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(HANDSHAKE)
    assert connection.recv(65_536).endswith(b"\r\n\r\n")
    size = len(message)
    length = bytes([size]) if size < 126 else b"\x7e" + struct.pack("!H", size)
    sent = bytes([0x81, length[0] | 0x80]) + length[1:]
    expected = b"\x81" + length + message
    while time.perf_counter() < end:
        key = randbytes(4)
        connection.sendall(sent + key + apply_mask(message, key))
        received = connection.recv(65_536)
        while len(received) < len(expected):
            received += connection.recv(65_536)
        assert received == expected


if __name__ == "__main__":
    port, users, seconds, size = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    over = time.perf_counter() + seconds
    gevent.joinall([gevent.spawn(user, port, b"x" * size, over) for _ in range(users)], raise_error=True)
