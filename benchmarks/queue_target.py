"""The target that knows the truth: the queue server, its record of requests, the ideal queue."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from select import select

from benchmarks.machine import pinned, program

PATIENCE = 30.0
"""Seconds within which the first request must have come."""


@dataclass(frozen=True)
class Pause:
    """No work is done for *length* seconds, *after* seconds from the first request, again *every* seconds (0: once)."""

    after: float
    length: float
    every: float = 0.0

    def begin(self, at: float) -> float | None:
        """Return the begin of the first pause that has not ended at the moment *at*, None if there is none."""
        if at < self.after + self.length:
            return self.after
        if not self.every:
            return None
        number = math.floor((at - self.after) / self.every)
        begin = self.after + number * self.every
        return begin if at < begin + self.length else self.after + (number + 1) * self.every


@dataclass(frozen=True)
class Service:
    """How the queue server serves: seconds a request, by *one* server or by many, the share of *errors* at once."""

    seconds: float
    one: bool = False
    pause: Pause | None = None
    errors: float = 0.0

    @property
    def arguments(self) -> list[str]:
        """The arguments of the server, but for its log."""
        pause = self.pause or Pause(0.0, 0.0)
        return [*map(str, (pause.after, pause.length, pause.every, self.errors))]

    def done(self, at: float) -> float:
        """Return when work begun at a moment is done; moments count from the first request."""
        left = self.seconds
        while self.pause is not None and (begin := self.pause.begin(at)) is not None:
            if at < begin:
                if at + left <= begin:
                    return at + left
                left -= begin - at
            end = begin + self.pause.length
            if end <= at:  # rounding: this pause is over
                break
            at = end
        return at + left

    def ideal(self, due: Iterable[float]) -> list[float]:
        """Return the response time of each arrival, if each began when it was *due*, in seconds.

        With one server that is Lindley's recursion: a departure is due a service time after
        the arrival or after the departure before it, whichever is later.
        """
        times, before = [], -math.inf
        for at in due:
            before = self.done(max(at, before) if self.one else at)
            times.append(before - at)
        return times


@dataclass(frozen=True)
class Request:
    """One request as the server saw it: moments in seconds, *departed* 0 if it never did."""

    arrived: float
    due: float
    departed: float
    status: int

    @property
    def took(self) -> float:
        """The server's own time, infinite for a request that was not answered."""
        return self.departed - self.arrived if self.departed else math.inf


class QueueTarget:
    """A running queue server; `requests` are its record once it has ended."""

    def __init__(self, child: subprocess.Popen[str], port: int, log: Path) -> None:
        self._child = child
        self._log = log
        self.url = f"http://127.0.0.1:{port}"

    def __repr__(self) -> str:
        return f"<QueueTarget at {self.url}>"

    def first(self, within: float = PATIENCE) -> bool:
        """Block until the first request has come; return whether it came within that number of seconds."""
        assert self._child.stdout is not None
        return bool(select([self._child.stdout], [], [], within)[0] and self._child.stdout.readline())

    @property
    def requests(self) -> list[Request]:
        """Every request, in the order of arrival."""
        lines = [line.split() for line in self._log.read_text().splitlines()]
        return [Request(float(a), float(due), float(b), int(status)) for a, due, b, status in lines]


def built(folder: Path) -> Path:
    """Compile the queue server into *folder*; return its path."""
    binary, source = folder / "queue_server", Path(__file__).with_name("queue_server.c")
    subprocess.run([program("cc"), "-O2", "-D_GNU_SOURCE", "-o", str(binary), str(source), "-lm"], check=True)
    return binary


@contextmanager
def serving(binary: Path, service: Service, core: int, log: Path) -> Iterator[QueueTarget]:
    """Run the queue server on one core; its record is there when the block has ended."""
    servers = "one" if service.one else "many"
    command = pinned(core, [str(binary), str(service.seconds), servers, str(log), *service.arguments])
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        yield QueueTarget(child, int(child.stdout.readline()), log)
    finally:
        child.stdin.close()
        child.wait()


def quantile(values: Sequence[float], q: float) -> float:
    """Return the value below which the share *q* of sorted *values* lies; nan of none."""
    if not values:
        return math.nan
    place = q * (len(values) - 1)
    low, high = values[math.floor(place)], values[math.ceil(place)]
    return low if low == high else low + (high - low) * (place - math.floor(place))


def lateness(requests: Sequence[Request]) -> float:
    """Return the p99 of what departures were late, in seconds: how much the server itself was disturbed."""
    return quantile(sorted(r.departed - r.due for r in requests if r.status == 200), 0.99)
