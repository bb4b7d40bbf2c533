"""The ceiling of a scripted client: a gevent socket with an llhttp parser, a loop, nothing else.

With JSON it encodes what it sends, and decodes what it gets, each time.
"""

from gevent import monkey

monkey.patch_all()  # as every program that uses gevent does

import json  # noqa: E402 - see above
import socket  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402
import httptools  # noqa: E402


class Answer:
    """What the parser calls."""

    done = False
    body = b""

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.done = True


def user(port: int, request: bytes, end: float, order: object) -> int:
    """Ask again and again on one connection; return how many answers were not 200. An *order* is sent as JSON."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answer = Answer()
    parser = httptools.HttpResponseParser(answer)
    bad = 0
    while time.perf_counter() < end:
        answer.done, answer.body = False, b""
        connection.sendall(request if order is None else request + json.dumps(order).encode())
        while not answer.done:
            parser.feed_data(connection.recv(65_536))
        if order is not None:
            json.loads(answer.body)
        bad += parser.get_status_code() != 200
    return bad


if __name__ == "__main__":
    port, asked, users, seconds = int(sys.argv[1]), Path(sys.argv[2]).read_bytes(), int(sys.argv[3]), float(sys.argv[4])
    order = json.loads(sys.argv[5]) if len(sys.argv) > 5 else None
    over = time.perf_counter() + seconds
    loops = [gevent.spawn(user, port, asked, over, order) for _ in range(users)]
    gevent.joinall(loops, raise_error=True)
    print("not 200:", sum(loop.value for loop in loops))
