"""A child process measured while it sends: what its target counted, what CPU it used."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from benchmarks.machine import cpu_of, pinned

PATIENCE = 30.0
"""Seconds within which the first unit must be counted, and the child end after the measurement."""


class SentNothing(Exception):
    """The target has counted nothing, before or within the measurement, or the child ended within it."""


@dataclass(frozen=True)
class Measurement:
    """Units a second as the target counted them, CPU seconds a unit, the exit code of the child."""

    rate: float
    cost: float
    code: int


def measure_child(
    command: Sequence[str],
    core: int,
    *,
    out: IO[str] | int,
    err: IO[str] | int,
    counted: Callable[[], int],
    warm: float,
    seconds: float,
) -> Measurement:
    """Run *command* on one core; measure it for *seconds*, from *warm* seconds after its first unit.

    Blocks until it has ended. Raises SentNothing, and TimeoutExpired if it does not end.
    """
    before = counted()
    child = subprocess.Popen(pinned(core, list(command)), stdout=out, stderr=err)
    try:
        deadline = time.perf_counter() + PATIENCE
        while counted() == before:
            if child.poll() is not None or time.perf_counter() > deadline:
                raise SentNothing("sent nothing")
            time.sleep(0.02)
        time.sleep(warm)
        count, used, at = counted(), cpu_of(child.pid), time.perf_counter()
        time.sleep(seconds)
        if child.poll() is not None:  # a rate over seconds in which it was gone would be too low
            raise SentNothing("ended before its measurement did")
        count, used, at = counted() - count, cpu_of(child.pid) - used, time.perf_counter() - at
        code = child.wait(timeout=PATIENCE)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    if not count:
        raise SentNothing("sent nothing while it was measured")
    return Measurement(count / at, used / count, code)
