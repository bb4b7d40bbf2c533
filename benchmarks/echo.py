"""Echo round trips a core: Chaperon beside bare loops, and beside k6 where it is installed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO

from benchmarks.k6 import has_k6, k6_command, k6_failures
from benchmarks.machine import cores, many_files, pinned, program
from benchmarks.measured_child import SentNothing, measure_child

SIZES = {"echo": 16, "echo-4k": 4096}
WARM = 0.5
MARGIN = 1.5


class EchoServer:
    """The running echo server: its URL, and how many messages it has sent back."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self.port = int(_output(child).readline())
        self.url = f"ws://127.0.0.1:{self.port}"

    def echoes(self) -> int:
        """Return how many messages it has sent back so far."""
        assert self._child.stdin is not None
        self._child.stdin.write("?")
        self._child.stdin.flush()
        return int(_output(self._child).readline())


@contextmanager
def echo_server(folder: Path, core: int | None = None) -> Iterator[EchoServer]:
    """Compile the echo server into *folder*, run it, on one core if that is given."""
    binary = folder / "echo_server"
    source = Path(__file__).with_name("echo_server.c")
    subprocess.run([program("cc"), "-O2", "-D_GNU_SOURCE", "-o", str(binary), str(source)], check=True)
    command = [str(binary)]
    with _running(command if core is None else pinned(core, command)) as child:
        yield EchoServer(child)


@contextmanager
def listening(command: list[str]) -> Iterator[int]:
    """Run a server that says its port, and ends when its standard input does; yield the port."""
    with _running(command) as child:
        yield int(_output(child).readline())


@contextmanager
def _running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        assert child.stdin is not None
        child.stdin.close()
        child.wait()


def _output(child: subprocess.Popen[str]) -> IO[str]:
    assert child.stdout is not None
    return child.stdout


@dataclass(frozen=True)
class EchoJob:
    """One run of one peer: *sockets* connections that send messages of *size* bytes for *seconds*."""

    server: EchoServer
    folder: Path
    sockets: int
    seconds: float
    size: int


@dataclass(frozen=True)
class EchoPeer:
    """A WebSocket client; *command* returns its command line, *failures* how many of its echoes failed."""

    name: str
    command: Callable[[EchoJob], list[str]]
    failures: Callable[[EchoJob], int] = lambda job: 0


_SCENARIO = """
from chaperon import step

@step
def echo(session):
    with session.ws("/") as ws:
        message, end = "x" * {size}, session.clock.now() + {seconds}
        while session.clock.now() < end:
            ws.send(message)
            assert ws.recv() == message
"""


def _chaperon(job: EchoJob) -> list[str]:
    file, out = job.folder / "scenario.py", job.folder / "out.json"
    file.write_text(_SCENARIO.format(size=job.size, seconds=job.seconds))
    command = [sys.executable, "-m", "chaperon", "local", str(file), "--url", job.server.url.replace("ws", "http", 1)]
    return [*command, "--users", str(job.sockets), "--json", str(out), "--quiet"]


def _chaperon_failures(job: EchoJob) -> int:
    return sum(row["count"] for row in json.loads((job.folder / "out.json").read_text())["errors"])


_LIBRARY = """
from gevent import monkey; monkey.patch_all()
import sys, time
import gevent, websocket
url, sockets, seconds, size = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])

def user():
    ws = websocket.create_connection(url, timeout=30, skip_utf8_validation=True)
    message, end = "x" * size, time.perf_counter() + seconds
    while time.perf_counter() < end:
        ws.send(message)
        assert ws.recv() == message
    ws.close()

gevent.joinall([gevent.spawn(user) for _ in range(sockets)], raise_error=True)
"""


def _library(job: EchoJob) -> list[str]:
    return [sys.executable, "-c", _LIBRARY, job.server.url, str(job.sockets), f"{job.seconds:g}", str(job.size)]


def _bare(job: EchoJob) -> list[str]:
    loop = str(Path(__file__).with_name("bare_echo.py"))
    return [sys.executable, loop, str(job.server.port), str(job.sockets), f"{job.seconds:g}", str(job.size)]


_K6_WS = """
export default function () {{
  const message = 'x'.repeat({size});
  const end = Date.now() + {milliseconds};
  ws.connect('{url}/', null, (socket) => {{
    socket.on('open', () => socket.send(message));
    socket.on('error', () => bad.add(1));
    socket.on('message', (data) => {{
      if (data !== message) bad.add(1);
      if (Date.now() < end) socket.send(message);
      else socket.close();
    }});
  }});
}}
"""
_K6_WEBSOCKETS = """
export default function () {{
  const message = 'x'.repeat({size});
  const end = Date.now() + {milliseconds};
  const socket = new WebSocket('{url}/');
  socket.onopen = () => socket.send(message);
  socket.onerror = () => bad.add(1);
  socket.onmessage = (event) => {{
    if (event.data !== message) bad.add(1);
    if (Date.now() < end) socket.send(message);
    else socket.close();
  }};
}}
"""


def _k6(imports: str, script: str) -> Callable[[EchoJob], list[str]]:
    def command(job: EchoJob) -> list[str]:
        text = script.format(size=job.size, milliseconds=round(job.seconds * 1e3), url=job.server.url)
        return k6_command(job.folder, text, users=job.sockets, seconds=job.seconds, imports=imports, once=True)

    return command


CHAPERON = EchoPeer("Chaperon", _chaperon, _chaperon_failures)
BARE = EchoPeer("a bare gevent loop", _bare)
LIBRARY = EchoPeer("websocket-client", _library)
K6_WS = EchoPeer("k6/ws", _k6("import ws from 'k6/ws';", _K6_WS), lambda job: k6_failures(job.folder))
K6_WEBSOCKETS = EchoPeer(
    "k6/websockets",
    _k6("import { WebSocket } from 'k6/websockets';", _K6_WEBSOCKETS),
    lambda job: k6_failures(job.folder),
)


@dataclass(frozen=True)
class EchoFigure:
    """What one run came to: round trips a second as the server counted them, CPU seconds of the client each."""

    rate: float
    cost: float


def echo(name: str, *, sockets: int, seconds: float, rounds: int) -> str:
    """Measure every peer in turn, round after round; return the table."""
    many_files()
    peers = [CHAPERON, BARE, LIBRARY, *([K6_WS, K6_WEBSOCKETS] if has_k6() else [])]
    seen: dict[str, list[EchoFigure]] = {peer.name: [] for peer in peers}
    target, core = cores()
    with tempfile.TemporaryDirectory(prefix="chaperon-bench-") as root, echo_server(Path(root), target) as server:
        for lap in range(rounds):
            for peer in peers if lap % 2 == 0 else reversed(peers):  # so that a drift weighs on all alike
                folder = Path(root) / f"{lap} {peer.name}".replace(" ", "-").replace("/", "-")
                folder.mkdir()
                job = EchoJob(server, folder, sockets, WARM + seconds + MARGIN, SIZES[name])
                seen[peer.name].append(_measured(peer, job, core, seconds))
    return _table(name, seen, sockets, seconds, rounds)


def _measured(peer: EchoPeer, job: EchoJob, core: int, seconds: float) -> EchoFigure:
    command, counted = peer.command(job), job.server.echoes
    with (job.folder / "output").open("w") as out:
        try:
            found = measure_child(
                command, core, out=out, err=subprocess.STDOUT, counted=counted, warm=WARM, seconds=seconds
            )
        except SentNothing as exc:
            raise _useless(peer, job, str(exc)) from None
    if (found.code and peer is not CHAPERON) or peer.failures(job):  # Chaperon at full speed is late, as it says
        raise _useless(peer, job, f"failed, exit code {found.code}")
    return EchoFigure(found.rate, found.cost)


def _useless(peer: EchoPeer, job: EchoJob, why: str) -> SystemExit:
    return SystemExit(f"benchmarks: {peer.name} {why}:\n{(job.folder / 'output').read_text()[-2000:]}")


def _table(name: str, seen: dict[str, list[EchoFigure]], sockets: int, seconds: float, rounds: int) -> str:
    costs = {peer: median(figure.cost for figure in figures) for peer, figures in seen.items()}
    lines = [
        f"{name}: messages of {SIZES[name]:,} bytes on {sockets} sockets of one core, median of {rounds} alternating "
        f"runs of {seconds:g} s",
        f"  {'':<22}{'round trips/s':>14}{'CPU each':>12}{'Chaperon takes':>17}",
    ]
    for peer, figures in seen.items():
        rate = median(figure.rate for figure in figures)
        ratio = costs[CHAPERON.name] / costs[peer]
        lines.append(f"  {peer:<22}{rate:>14,.0f}{costs[peer] * 1e6:>9,.1f} µs{ratio:>15.2f} ×")
    return "\n".join(lines)
