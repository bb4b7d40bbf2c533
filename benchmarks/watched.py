"""A command under watch: the most memory and the CPU time of all its processes together."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import cpu_of, family, memory_of

EVERY = 0.1
"""Seconds between two looks."""


@dataclass(frozen=True)
class Watched:
    """What a command came to: its exit code, what it printed, the most resident bytes, CPU seconds."""

    code: int
    said: str
    most: int
    used: float


def watched(
    command: list[str], *, patience: float, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Watched:
    """Run *command* and look at its processes until it ends. It is killed after *patience* seconds."""
    most, used, deadline = 0, 0.0, time.perf_counter() + patience
    child = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while child.poll() is None and time.perf_counter() < deadline:
            with suppress(ProcessLookupError, FileNotFoundError):  # one ended between two looks
                whole = family(child.pid)
                most = max(most, sum(memory_of(pid) for pid in whole))
                used = max(used, sum(cpu_of(pid) for pid in whole))
            time.sleep(EVERY)
    finally:
        if child.poll() is None and time.perf_counter() >= deadline:
            child.kill()
        said, _ = child.communicate()
    return Watched(child.returncode, said, most, used)
