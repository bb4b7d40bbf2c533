"""Echo round trips a core, beside a bare loop of websocket-client."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.machine import cores, many_files, pinned, program

SIZES = {"echo": 16, "echo-4k": 4096}

_BARE = """
from gevent import monkey; monkey.patch_all()
import sys, time
import gevent, websocket
url, sockets, seconds, size = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])

def user():
    ws = websocket.create_connection(url, timeout=30, skip_utf8_validation=True)
    message, count, end = "x" * size, 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        ws.send(message)
        assert ws.recv() == message
        count += 1
    ws.close()
    return count

users = [gevent.spawn(user) for _ in range(sockets)]
gevent.joinall(users, raise_error=True)
print(sum(u.value for u in users))
"""

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


@contextmanager
def echo_server(folder: Path, core: int) -> Iterator[str]:
    """Compile the echo server, run it on one core; yield its URL."""
    binary = folder / "echo_server"
    source = Path(__file__).with_name("echo_server.c")
    subprocess.run([program("cc"), "-O2", "-D_GNU_SOURCE", "-o", str(binary), str(source)], check=True)
    with listening(pinned(core, [str(binary)])) as port:
        yield f"ws://127.0.0.1:{port}"


@contextmanager
def listening(command: list[str]) -> Iterator[int]:
    """Run a server that says its port, and ends when its standard input does; yield the port."""
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        yield int(child.stdout.readline())
    finally:
        child.stdin.close()
        child.wait()


def echo(name: str, *, sockets: int, seconds: float, rounds: int) -> str:
    """Return round trips a second of both as a line, and their ratio: the median of rounds in turn."""
    many_files()
    target, core = cores()
    rates: dict[str, list[float]] = {"bare": [], "chaperon": []}
    with tempfile.TemporaryDirectory(prefix="chaperon-bench-") as folder, echo_server(Path(folder), target) as url:
        for turn in range(rounds):
            for who in ("bare", "chaperon") if turn % 2 == 0 else ("chaperon", "bare"):
                count = (_bare if who == "bare" else _chaperon)(url, core, sockets, seconds, SIZES[name], Path(folder))
                rates[who].append(count / seconds)
    bare, ours = median(rates["bare"]), median(rates["chaperon"])
    return (
        f"{name}: Chaperon {ours:,.0f} round trips/s of {SIZES[name]:,} bytes on {sockets} sockets of one core, a bare "
        f"websocket-client loop {bare:,.0f}: {ours / bare:.2f} ×"
    )


def _bare(url: str, core: int, sockets: int, seconds: float, size: int, folder: Path) -> int:
    command = [sys.executable, "-c", _BARE, url, str(sockets), str(seconds), str(size)]
    return int(subprocess.run(pinned(core, command), check=True, capture_output=True, text=True).stdout)


def _chaperon(url: str, core: int, sockets: int, seconds: float, size: int, folder: Path) -> int:
    file, out = folder / "scenario.py", folder / "out.json"
    file.write_text(_SCENARIO.format(size=size, seconds=seconds))
    command = [sys.executable, "-m", "chaperon", "local", str(file), "--url", url.replace("ws", "http", 1)]
    command += ["--users", str(sockets), "--json", str(out), "--quiet"]
    ended = subprocess.run(pinned(core, command), capture_output=True, text=True)
    report = json.loads(out.read_text())
    if report["errors"] or ended.returncode not in (0, 5):  # 5: a generator at full speed is late, as it says
        raise SystemExit(f"benchmarks: Chaperon's echoes failed:\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    return int(next(row["count"] for row in report["series"] if row["name"] == "ws recv /"))
