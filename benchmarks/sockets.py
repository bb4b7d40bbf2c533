"""How much memory an open WebSocket costs: thousands in one process, each with a user of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.echo import echo_server, listening
from benchmarks.machine import cores, many_files, memory_of, pinned

ARRIVALS = 500.0
HOLD = 4.0

_SCENARIO = """
from chaperon import Environment, Scenario, run, users

def stay(session):
    ws = session.ws("/", timeout=60)
    ws.send("hello")
    assert ws.recv() == "hello"
    session.sleep({stay})

environment = Environment(scenarios=[run(Scenario(stay), users({users}, ramp={ramp}))], verify=False)
"""

_TLS_SERVER = r"""
from gevent import monkey; monkey.patch_all()
import ssl, sys
from base64 import b64encode
from hashlib import sha1
import gevent, trustme
from gevent.server import StreamServer

def talk(sock, address):
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(65536)
    key = next(line[18:].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    answer = b64encode(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    agreed = b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    sock.sendall(agreed + answer + b"\r\n\r\n")
    sock.recv(65536)
    sock.sendall(b"\x81\x05hello")
    sock.recv(65536)

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
server = StreamServer(("127.0.0.1", 0), talk, ssl_context=context, backlog=4096)
server.start()
print(server.server_port, flush=True)
gevent.get_hub().threadpool.apply(sys.stdin.read)
"""


def sockets(count: int = 5_000) -> str:
    """Open a number of WebSockets, plain and under TLS, each by a user of its own; return the figures as lines."""
    many_files()
    target, core = cores()
    lines = []
    with tempfile.TemporaryDirectory(prefix="chaperon-bench-") as name:
        folder = Path(name)
        for kind, serving in (("ws", _plain_server(folder, target)), ("wss", _tls_server(target))):
            with serving as url:
                alone = _most(1, url, folder, core)
                most = _most(count, url, folder, core)
            lines.append(
                f"sockets: {count:,} open {kind}:// in one process take {most / 1e6:.0f} MB, "
                f"{(most - alone) / count / 1e3:.1f} kB each, its user included"
            )
    return "\n".join(lines)


def _most(users: int, url: str, folder: Path, core: int) -> int:
    """Return the most resident bytes of a run in which all sockets are open at once."""
    file, out = folder / f"sockets_{users}.py", folder / f"sockets_{users}.json"
    ramp = users / ARRIVALS
    file.write_text(_SCENARIO.format(users=users, ramp=ramp, stay=ramp + HOLD))
    command = [sys.executable, "-m", "chaperon", "local", str(file), "--url", url.replace("ws", "http", 1)]
    command += ["--json", str(out), "--quiet"]
    child = subprocess.Popen(pinned(core, command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    most = 0
    while child.poll() is None:
        try:
            most = memory_of(child.pid, "VmHWM")
        except ProcessLookupError:  # it ended between two looks
            break
        time.sleep(0.1)
    said, _ = child.communicate()
    report = json.loads(out.read_text())
    opened = next(row for row in report["series"] if row["name"] == "ws connect /")
    if report["errors"] or opened["count"] != users:
        raise SystemExit(f"benchmarks: {users:,} sockets were not all opened:\n{said[-2000:]}")
    return most


@contextmanager
def _plain_server(folder: Path, core: int) -> Iterator[str]:
    with echo_server(folder, core) as server:
        yield server.url


@contextmanager
def _tls_server(core: int) -> Iterator[str]:
    with listening(pinned(core, [sys.executable, "-c", _TLS_SERVER])) as port:
        yield f"wss://127.0.0.1:{port}"
