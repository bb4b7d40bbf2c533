"""Causes that keep a process from running, read from the kernel's counters."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

Read = Callable[[str], str]
"""Returns the text of a file; raises OSError if it cannot be read."""

HALF = 0.5
"""A cause explains a stop if it accounts for at least this share of it."""
_GROUPS = "/sys/fs/cgroup"
_DEPTH = 16


class Spent(NamedTuple):
    """Counters in seconds, since start or between two readings. A counter that the system lacks is 0.

    - *cpu*: the process ran. *gc*: garbage collection.
    - *queued*: the hub's thread was ready to run but had no core; *own*: the same for the watching thread.
    - *throttled*: the control group had used up its CPU quota; *throttles*: number of times.
    - *steal*: the hypervisor ran another machine, summed over all cores.
    """

    cpu: float = 0.0
    gc: float = 0.0
    queued: float = 0.0
    own: float = 0.0
    throttled: float = 0.0
    throttles: float = 0.0
    steal: float = 0.0

    def since(self, before: Spent) -> Spent:
        """Return the difference to the earlier reading *before*."""
        return Spent(*(max(now - then, 0.0) for now, then in zip(self, before, strict=True)))

    def plus(self, more: Spent) -> Spent:
        """Return the sum of both."""
        return Spent(*(here + there for here, there in zip(self, more, strict=True)))


class Counters:
    """Reads the counters: schedstat of two threads, cpu.stat of the control groups (v1 or v2), /proc/stat.

    Sources: Documentation/scheduler/sched-stats.rst, admin-guide/cgroup-v2.rst and
    scheduler/sched-bwc.rst of the Linux kernel, proc(5). *read* replaces the file system in tests.
    """

    def __init__(self, thread: int, read: Read | None = None) -> None:
        self._read = read or _text
        self._schedule = f"/proc/self/task/{thread}/schedstat"
        self._limits = [path for path in _stat_paths(self._read) if "nr_throttled" in self._try(path)]

    def __repr__(self) -> str:
        return f"<Counters of {self._schedule}, {len(self._limits)} control groups>"

    def spent(self, *, cpu: float = 0.0, gc: float = 0.0, own: int | None = None) -> Spent:
        """Return a reading with *cpu* and *gc* as given. *own* is the native identifier of the watching thread."""
        throttled, throttles = self._throttled()
        return Spent(
            cpu,
            gc,
            self._queued(self._schedule),
            0.0 if own is None else self._queued(f"/proc/self/task/{own}/schedstat"),
            throttled,
            throttles,
            self._steal(),
        )

    def _queued(self, path: str) -> float:
        words = self._try(path).split()
        return int(words[1]) / 1e9 if len(words) > 1 and words[1].isdigit() else 0.0

    def _throttled(self) -> tuple[float, float]:
        """Return (seconds, times) of the group throttled longest: a throttled group also stops all groups below it."""
        most = (0.0, 0.0)
        for path in self._limits:
            found = dict(line.split(None, 1) for line in self._try(path).splitlines() if " " in line)
            try:
                long = float(found["throttled_usec"]) / 1e6 if "throttled_usec" in found else 0.0
                long = float(found["throttled_time"]) / 1e9 if "throttled_time" in found else long
                most = max(most, (long, float(found.get("nr_throttled", 0))))
            except ValueError:
                continue
        return most

    def _steal(self) -> float:
        words = self._try("/proc/stat").partition("\n")[0].split()
        return int(words[8]) / _TICKS if len(words) > 8 and words[8].isdigit() else 0.0

    def _try(self, path: str) -> str:
        try:
            return self._read(path)
        except (OSError, ValueError):
            return ""


def cause(spent: Spent, span: float) -> tuple[str, str] | None:
    """Return (kind, text) of the cause that kept all threads of a process from running for *span* seconds.

    None if no counter explains at least half of it: the cause is unknown.
    """
    for kind, seconds, words in (
        ("collected", spent.gc, "garbage was collected"),
        ("throttled", spent.throttled, "the CPU quota of the control group was used up"),
        ("stolen", spent.steal, "the hypervisor ran other machines on the core"),
        ("starved", spent.own, "other processes kept the cores"),
    ):
        if seconds >= HALF * span:
            return kind, words
    return None


def _stat_paths(read: Read) -> Iterator[str]:
    """Yield the possible paths of cpu.stat of the process's control group and of each group above it."""
    try:
        lines = read("/proc/self/cgroup").splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0" and not controllers:
            roots = [_GROUPS, f"{_GROUPS}/unified"]
        elif "cpu" in controllers.split(","):
            roots = [f"{_GROUPS}/{controllers}", f"{_GROUPS}/cpu", f"{_GROUPS}/cpu,cpuacct"]
        else:
            continue
        parts = [part for part in group.split("/") if part not in ("", "..")][:_DEPTH]
        for root in dict.fromkeys(roots):
            for depth in range(len(parts), -1, -1):
                yield "/".join([root, *parts[:depth], "cpu.stat"])


def _text(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


_TICKS = float(os.sysconf("SC_CLK_TCK")) if hasattr(os, "sysconf") else 100.0
