"""CPU, garbage collection and port usage of the process and its machine."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import Any

from chaperon.clock import Clock, apart, cpu, thread_cpu
from chaperon.load.generator.evidence import Counters

_EVIDENCE = ("queued", "throttled", "throttles", "steal")


class CpuUsage:
    """CPU usage of the process, of the thread that created this object, and of the machine, between two cuts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since, self._used, self._own = clock.now(), cpu(), thread_cpu()
        self._machine = _machine()
        self._counters = Counters(apart.native())
        self._spent = self._counters.spent()
        self._last: dict[str, float] = {"cpu": 0.0, "hub_cpu": 0.0, "hub_wanted": 0.0}

    def cut(self) -> dict[str, float]:
        """Return the figures since the last cut.

        "cpu" and "hub_cpu": cores used by the process and by the hub's thread. "hub_wanted": the latter plus the
        time the thread waited for a core. "machine": busy share of all cores, 0 to 1, left out if unknown.
        In seconds: "queued" (ready, but without a core), "throttled" by the control group, "steal" by the
        hypervisor; "throttles" is a number of times.
        """
        now = self._clock.now()
        if now - self._since < 0.2:  # windows cut right after a stall: the span is too short for a ratio
            return {**self._last, **dict.fromkeys(_EVIDENCE, 0.0)}
        used, own, machine, span = cpu(), thread_cpu(), _machine(), now - self._since
        spent = self._counters.spent()
        kept = spent.since(self._spent)
        ran = (own - self._own) / span
        wanted = ran + kept.queued / span
        self._last = {"cpu": (used - self._used) / span, "hub_cpu": ran, "hub_wanted": min(wanted, 1.0)}
        self._spent = spent
        if machine is not None and self._machine is not None:
            busy, whole = (a - b for a, b in zip(machine, self._machine, strict=True))
            self._last["machine"] = busy / whole if whole > 0 else 0.0
        self._since, self._used, self._own, self._machine = now, used, own, machine
        return {**self._last, **{name: getattr(kept, name) for name in _EVIDENCE}}


class GcPauses:
    """Pauses by the garbage collector, from one `cut` to the next."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._begun = 0.0
        self._sum = self._longest = 0.0
        self.total = 0.0
        """Seconds of all pauses since `start`."""

    def start(self) -> None:
        """Start measuring, by a callback of the garbage collector."""
        gc.callbacks.append(self._on_gc)

    def stop(self) -> None:
        """Stop measuring."""
        if self._on_gc in gc.callbacks:
            gc.callbacks.remove(self._on_gc)

    def cut(self) -> dict[str, float]:
        """Return "gc" (sum of all pauses since the last cut) and "gc_longest", both in seconds."""
        seen = {"gc": self._sum, "gc_longest": self._longest}
        self._sum = self._longest = 0.0
        return seen

    def _on_gc(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._begun = self._now()
        else:
            took = self._now() - self._begun
            self._sum += took
            self.total += took
            self._longest = max(self._longest, took)


def ports() -> dict[str, float]:
    """Return "ports" (TCP sockets in use or in TIME_WAIT) and "ports_limit"; an empty dict if unknown."""
    try:
        with open("/proc/net/sockstat", encoding="ascii") as file:
            words = next(line for line in file if line.startswith("TCP:")).split()
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            low, high = map(int, file.read().split())
    except (OSError, ValueError, StopIteration):
        return {}
    counts = dict(zip(words[1::2], map(float, words[2::2]), strict=False))
    return {"ports": counts.get("inuse", 0.0) + counts.get("tw", 0.0), "ports_limit": high - low + 1.0}


def _machine() -> tuple[float, float] | None:
    """Return (busy ticks, all ticks) of the machine's cores since boot, None if unknown."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [float(word) for word in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    whole = sum(ticks)
    return whole - ticks[3] - ticks[4], whole


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
