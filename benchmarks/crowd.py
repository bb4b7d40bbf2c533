"""How much memory a user costs: thousands with think time, in one process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.machine import cores, cpu_of, many_files, memory_of, pinned
from benchmarks.target import Target, nginx

ARRIVALS = 700.0
THINK = 10.0
LONG_THINK = 30.0
"""Think time of a crowd that is larger than LARGE, in seconds."""
LARGE = 20_000
AT_ONCE = 10_000
"""Users that are started at the same moment."""
PATIENCE = 60.0
SPARE = 500
"""Descriptors beside those of connections."""

_SCENARIO = """
from chaperon import Environment, Scenario, Service, run, step, users

URLS = {urls}

def init(session):
    session.assigned["url"] = URLS[session.visit.user % len(URLS)]

@step
def look(session):
    session.get(session.assigned["url"])

crowd = Scenario(look, init=init)
environment = Environment(
    services={{"default": Service(transport="{transport}")}},
    scenarios=[run(crowd, users({users}, ramp={ramp}, hold={hold}, think={think}))],
)
"""


def crowd(users: int = 10_000, hold: float = 10.0, transport: str = "wire") -> str:
    """Let that number of users come, look and think for *hold* seconds; return the figures as a line.

    Each makes a request every ten seconds (30 of more than `LARGE` users) on a connection of its own that is kept
    open. A user's bytes are what the whole crowd takes beyond what a single user does, shared out.
    """
    think = LONG_THINK if users > LARGE else THINK
    with _target(users) as (target, folder, core):
        alone = _run(1, 0.0, 1.0, think, transport, target, folder, core)
        whole = _run(users, users / ARRIVALS, hold, think, transport, target, folder, core)
    return (
        f"crowd over {transport}: {users:,} users with {think:g} s of think time in one process "
        f"take {whole.most / 1e6:.0f} MB, {(whole.most - alone.most) / users:,.0f} B a user "
        f"({whole.requests:,} requests, none failed, users woken {whole.lag * 1e3:.1f} ms late (p90) and "
        f"{whole.longest_lag * 1e3:.1f} ms at most, "
        f"{whole.cpu:.1f} s of CPU, {whole.verdict})"
    )


def crowd_at_once(users: int = AT_ONCE) -> str:
    """Start all users at the same moment; return when the last first request was sent and answered, as lines.

    Beside it, what the same costs without Chaperon: a bare loop (`bare_crowd.py`). A user's CPU is what all take
    beyond what a single one does, shared out.
    """
    with _target(users) as (target, folder, core):
        took, bare = _bare(users, target, core)
        alone = _run(1, 0.0, 5.0, LONG_THINK, "wire", target, folder, core)
        seen = _run(users, 0.0, 5.0, LONG_THINK, "wire", target, folder, core)
    each, least = (seen.cpu - alone.cpu) / users, bare / users
    return (
        f"{users:,} users started at once: {seen.requests:,} requests, the slowest visit took {seen.slowest:.2f} s, "
        f"{each * 1e6:.0f} µs of CPU a user, {seen.verdict}\n"
        f"  a bare loop: answered in {took:.2f} s, {least * 1e6:.0f} µs of CPU a user ({each / least:.1f} × less)"
    )


def _bare(users: int, target: Target, core: int) -> tuple[float, float]:
    """Return the seconds until a bare loop has all answers, and its CPU seconds meanwhile."""
    places = [urlsplit(url) for url in target.urls]
    command = [sys.executable, "-m", "benchmarks.bare_crowd", str(users), str(places[0].port)]
    command += [place.hostname or "" for place in places]
    done = subprocess.run(pinned(core, command), capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode:
        raise SystemExit(f"benchmarks: the bare loop ended with {done.returncode}:\n{done.stderr[-2000:]}")
    took, used = done.stdout.split()
    return float(took), float(used)


@contextmanager
def _target(users: int) -> Iterator[tuple[Target, Path, int]]:
    files = many_files(users + SPARE)
    if files < users + SPARE:
        raise SystemExit(
            f"benchmarks: {users:,} users need {users + SPARE:,} open files, this process may have {files:,}: "
            f"ulimit -Hn {users + SPARE}, as root"
        )
    target_core, core = cores()
    with (
        tempfile.TemporaryDirectory(prefix="chaperon-bench-") as name,
        nginx(Path(name), target_core, max(users + SPARE, 19_000)) as target,
    ):
        yield target, Path(name), core


@dataclass(frozen=True)
class Seen:
    """What a run came to: the most resident bytes, CPU seconds, requests, lag of the hub, slowest visit, verdict.

    The lag is how late a user is woken after its think time: its greatest 90th percentile of a second, and its maximum.
    """

    most: int
    cpu: float
    requests: int
    lag: float
    longest_lag: float
    slowest: float
    verdict: str


def _run(
    users: int, ramp: float, hold: float, think: float, transport: str, target: Target, folder: Path, core: int
) -> Seen:
    file, out = folder / f"crowd_{users}.py", folder / f"crowd_{users}.json"
    settings = {"users": users, "ramp": ramp, "hold": hold, "think": think, "transport": transport}
    file.write_text(_SCENARIO.format(urls=list(target.urls), **settings))
    command = [sys.executable, "-m", "chaperon", "local", str(file), "--url", target.url, "--json", str(out), "--quiet"]
    most, used, deadline = 0, 0.0, time.perf_counter() + ramp + hold + PATIENCE
    child = subprocess.Popen(pinned(core, command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while child.poll() is None and time.perf_counter() < deadline:
            try:
                most, used = memory_of(child.pid, "VmHWM"), cpu_of(child.pid)
            except (ProcessLookupError, FileNotFoundError):  # it ended between two looks
                break
            time.sleep(0.1)
    finally:
        if child.poll() is None and time.perf_counter() >= deadline:
            child.kill()
        said, _ = child.communicate()
    if child.returncode not in (0, 5):  # 5: too slow on a busy machine, which changes no memory
        raise SystemExit(f"benchmarks: the crowd of {users:,} ended with {child.returncode}:\n{said[-2000:]}")
    report = json.loads(out.read_text())
    series = [row for row in report["series"] if row["kind"] == "http"]
    if any(row["errors"] for row in series):
        raise SystemExit(f"benchmarks: requests of the crowd of {users:,} failed:\n{said[-2000:]}")
    visits = [row["max"] or 0.0 for row in report["series"] if row["kind"] == "visit"]
    lag = report["generator"]
    return Seen(
        most, used, sum(row["count"] for row in series), lag["lag_p90"], lag["lag_max"], max(visits), report["verdict"]
    )
