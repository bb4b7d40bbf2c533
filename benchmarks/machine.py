"""The machine that measures: which core does what, what a process used of it."""

from __future__ import annotations

import os
import resource
import shutil
import sys
from contextlib import suppress
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")

INSTALL = {
    "nginx": "the target: apt-get install nginx (Debian, Ubuntu), dnf install nginx (Fedora)",
    "wrk": "the ceiling: apt-get install wrk (Debian, Ubuntu), dnf install wrk (Fedora)",
    "cc": "what builds the echo server: apt-get install gcc libc6-dev (Debian, Ubuntu), dnf install gcc (Fedora)",
    "py-spy": "what looks into the loop: pip install py-spy",
    "taskset": "pins processes to cores: apt-get install util-linux",
}


class Missing(SystemExit):
    """Something that has to be installed first."""


def program(name: str) -> str:
    """Return the path of a program; raises Missing with how to install it."""
    own = os.path.dirname(sys.executable)
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{own}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Missing(f"benchmarks: {name} is not installed. {name} is {INSTALL[name]}")
    return found


def cache() -> Path:
    """Return the folder for what is made once and used again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chaperon-benchmarks"


def cores() -> tuple[int, int]:
    """Return the core of the target, then that of the generator; raises Missing on a machine with one."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise Missing("benchmarks: two cores are needed, one for the target, one for the generator")
    return allowed[0], allowed[1]


def pinned(core: int | str, command: list[str]) -> list[str]:
    """Return *command* bound to one core, or to those of a list such as "0,1"."""
    return [program("taskset"), "-c", str(core), *command]


def many_files(wanted: int = 0) -> int:
    """Raise the limit of open files as far as it goes, for root up to *wanted*; return it. Children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if wanted > hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def cpu_of(pid: int) -> float:
    """Return the CPU seconds a process has used so far, all its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def memory_of(pid: int, what: str = "VmRSS") -> int:
    """Return the resident bytes of a process: "VmRSS" now, "VmHWM" the most so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} has no {what}: it has ended")


def family(pid: int) -> list[int]:
    """Return a process and those that it has started, and they; raises FileNotFoundError if it has ended."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found
