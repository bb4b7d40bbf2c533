"""A small target to try things on: gevent's server, as a process of its own."""

from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all()  # first: as a process of its own it is gevent's alone

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import gevent
from gevent.pywsgi import WSGIServer

from chaperon.errors import ChaperonError

SLOW = 0.2
FAILS_EVERY = 50

_asked = count(1)
_Start = Callable[[str, list[tuple[str, str]]], object]


def application(environ: dict[str, Any], start_response: _Start) -> Iterable[bytes]:
    """Answer as a shop would: a login with a cookie, pages, JSON, one slow page, one that sometimes fails."""
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    body = environ["wsgi.input"].read()
    headers = [("Content-Type", "text/html; charset=utf-8")]
    status, reply = "200 OK", f"<h1>{path}</h1>".encode()
    match method, path:
        case "POST", "/login":
            headers.append(("Set-Cookie", "session=demo; Path=/; HttpOnly"))
        case "POST", "/logout":
            headers.append(("Set-Cookie", "session=; Path=/; Max-Age=0"))
        case "PUT", "/baz":
            status, reply = _echoed(body)
            headers = [("Content-Type", "application/json")]
        case "GET", "/slow":
            gevent.sleep(SLOW)
        case "GET", "/sometimes":
            if next(_asked) % FAILS_EVERY == 0:
                status, reply = "503 Service Unavailable", b"busy"
        case "GET" | "HEAD", "/" | "/foo" | "/bar":
            pass
        case _:
            status, reply = "404 Not Found", b"no such page"
    headers.append(("Content-Length", str(len(reply))))
    start_response(status, headers)
    return [] if method == "HEAD" else [reply]


def _echoed(body: bytes) -> tuple[str, bytes]:
    try:
        return "200 OK", json.dumps({"stored": json.loads(body)}).encode()
    except ValueError:
        return "400 Bad Request", b'{"error": "not JSON"}'


class _Server(WSGIServer):
    def handle(self, client: Any, address: Any) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else 40 ms of delayed ACKs show up
        super().handle(client, address)


def serve(port: int = 0) -> None:
    """Serve on loopback, say where, and end when standard input does: never outlive the parent."""
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    server = _Server(listener, application, log=None)
    server.start()
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    gevent.get_hub().threadpool.apply(sys.stdin.read)  # in a thread, for it would block the hub
    server.stop(timeout=0.5)


@contextmanager
def target() -> Iterator[str]:
    """Start the server as a child process, yield its base URL, end it in any case."""
    folder = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    child = subprocess.Popen(
        [sys.executable, "-m", "chaperon.demo"],
        cwd=folder,  # not where we are: a re.py there would be imported in place of Python's own
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,  # a Ctrl-C is for the run, which ends the target itself
    )
    try:
        assert child.stdout is not None
        said = child.stdout.readline()
        if "listening on " not in said:
            raise ChaperonError("the demo's target did not start: see the lines above")
        yield said.strip().rpartition(" ")[2]
    finally:
        assert child.stdin is not None
        child.stdin.close()
        try:
            child.wait(timeout=3)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


if __name__ == "__main__":
    serve()
