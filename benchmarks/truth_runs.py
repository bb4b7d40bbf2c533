"""One run of Chaperon against the queue server, with a disturbance: what it said beside what happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import cores, pinned
from benchmarks.queue_target import Request, Service, serving
from chaperon.load.expression import read_load
from chaperon.load.share import deal

ROOT = Path(__file__).resolve().parent.parent
GET = 'from chaperon import step\n\n\n@step\ndef home(session):\n    session.get("/")\n'
MOST = 180.0
"""Seconds beyond which a run is given up."""

Blow = Callable[[int], None]
"""What strikes a run, given the process id of its master; it may wait."""


@dataclass(frozen=True)
class Asked:
    """What Chaperon is asked to do, to which server."""

    load: str
    service: Service
    scenario: str = GET
    options: tuple[str, ...] = ()
    blow: Blow | None = None
    beside: bool = False

    def due(self, seed: int) -> list[float]:
        """Return when each arrival of an open load is due, in seconds from the start; none of a closed one."""
        (share,) = deal([("", read_load(self.load))], seed=seed)
        return [at for _, at in share.load.schedule(seed=share.source)]


@dataclass(frozen=True)
class Seen:
    """What came of it: the report (none if it was not written), exit code, the server's record, what was printed."""

    asked: Asked
    seed: int
    report: dict[str, Any] | None
    code: int
    requests: list[Request]
    text: str


def run(asked: Asked, binary: Path, folder: Path, seed: int = 0) -> Seen:
    """Run Chaperon on one core, the server on another; block until both have ended."""
    target_core, core = cores()
    file, out, log = folder / "scenario.py", folder / "out.json", folder / "server.log"
    file.write_text(asked.scenario)
    out.unlink(missing_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(folder)}
    with ExitStack() as both:
        target = both.enter_context(serving(binary, asked.service, target_core, log))
        if asked.beside:
            both.enter_context(busy(core))
        command = [sys.executable, "-m", "chaperon", "local", str(file), "--url", target.url, "--json", str(out)]
        command += ["--load", asked.load, "--seed", str(seed), *asked.options]
        child = subprocess.Popen(
            pinned(core, command), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            if asked.blow is not None and target.first():
                asked.blow(child.pid)
            text, _ = child.communicate(timeout=MOST)
        except subprocess.TimeoutExpired:
            child.kill()
            text, _ = child.communicate()
            text += f"\nbenchmarks: it did not end within {MOST:g} s"
    report = json.loads(out.read_text()) if out.exists() else None
    return Seen(asked, seed, report, child.returncode, target.requests, text)


@contextmanager
def busy(core: int) -> Iterator[None]:
    """Keep a core busy beside the other processes on it."""
    loop = subprocess.Popen(pinned(core, [sys.executable, "-c", "while True: pass"]))
    try:
        yield
    finally:
        loop.kill()
        loop.wait()


def interrupted(after: float) -> Blow:
    """Return a blow: a person presses Ctrl-C a number of seconds after the first request."""

    def blow(pid: int) -> None:
        time.sleep(after)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)

    return blow


def stopped(after: float, length: float) -> Blow:
    """Return a blow: the master's process stands still for *length* seconds."""

    def blow(pid: int) -> None:
        time.sleep(after)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(length)
            os.kill(pid, signal.SIGCONT)

    return blow


def engine_killed(after: float) -> Blow:
    """Return a blow: the youngest process that the run has started is killed."""

    def blow(pid: int) -> None:
        time.sleep(after)
        leaves = [each for each in descendants(pid) if not descendants(each)]
        with suppress(ProcessLookupError):
            os.kill(max(leaves, default=pid), signal.SIGKILL)

    return blow


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, those that these have started too."""
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *descendants(child)]
    return found
