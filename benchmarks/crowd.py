"""How much memory a user costs: thousands with think time, in one process."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from benchmarks.compiled import compiled_commit
from benchmarks.machine import cores, many_files, pinned
from benchmarks.target import Target, nginx
from benchmarks.watched import watched
from chaperon.measure.quantity import count_text

ARRIVALS = 700.0
"""Users that come in a second; of a crowd that is larger than LARGE, LARGE_ARRIVALS, and it stays for LARGE_HOLD."""
LARGE_ARRIVALS = 500.0
LARGE_HOLD = 40.0
THINK = 10.0
LONG_THINK = 30.0
"""Think time of a crowd that is larger than LARGE, in seconds."""
LARGE = 20_000
STARTED_TOGETHER = 10_000
"""Users that are started at the same moment."""
PATIENCE = 60.0
PORTS = 25_000
"""Connections from one address to another, of the 28,232 that Linux has ports for by default."""
SERVED = 15_000
"""Connections of one process of the target."""
SPARE = 500
"""Descriptors beside those of connections."""

_SCENARIO = """
from time import perf_counter

from chaperon import Environment, Scenario, Service, run, step, users

URLS = {urls}
THINK = {think}

def init(session):
    session.assigned["url"] = URLS[session.visit.user % len(URLS)]

@step
def look(session):
    began = perf_counter()
    if "left" in session.assigned:
        session.record("woken late", max(began - session.assigned["left"] - THINK, 0.0))
    session.get(session.assigned["url"])
    session.assigned["left"] = perf_counter()

crowd = Scenario(look, init=init)
elsewhere = {{"trust_origins": URLS}} if len(URLS) > 1 else {{}}
environment = Environment(
    services={{"default": Service(transport="{transport}", **elsewhere)}},
    scenarios=[run(crowd, users({users}, ramp={ramp}, hold={hold}, think=THINK))],
)
"""

_TOGETHER = """
from os import getpid
from pathlib import Path
from time import process_time

from chaperon import Environment, Scenario, Service, run, step, users

USED, BEGAN, DONE, LAST = [], [], [0], [0.0, 0.0]

def setup():
    USED.append(process_time())

def init(session):
    if not BEGAN:
        BEGAN.append(session.clock.now())
        USED.append(process_time())  # a worker process has no setup

@step
def look(session):
    arrived = session.get("/")._arrived
    LAST[:] = max(LAST[0], arrived.ready), max(LAST[1], arrived.sent)
    DONE[0] += 1
    if not DONE[0] % {each}:
        seen = (*BEGAN, *LAST, session.clock.now(), process_time() - USED[0], *DONE)
        Path(f"{answered}_{{getpid()}}").write_text(" ".join(map(str, seen)))

crowd = Scenario(look, init=init)
environment = Environment(setup=setup, scenarios=[run(crowd, users({users}, hold={hold}, think={think}))])
"""
EACH = 50
"""Answers after which a process writes down the moments of the last ones."""


@dataclass(frozen=True)
class Together:
    """When the last of the users that started together was connected, had sent its request and had its answer.

    In seconds since the first one started; *used* are the CPU seconds until the last answer.
    """

    connected: float
    sent: float
    answered: float
    used: float

    def __str__(self) -> str:
        return (
            f"the last connection after {self.connected:.2f} s, the last request sent after {self.sent:.2f} s, "
            f"the last answer after {self.answered:.2f} s"
        )


def crowd(users: int = 10_000, hold: float = 10.0, transport: str = "wire", processes: int = 1) -> str:
    """Let that number of users come, look and think for *hold* seconds; return the figures as a line.

    Each makes a request every ten seconds (30 of more than `LARGE` users) on a connection of its own that is kept
    open. A user's bytes are what the whole crowd takes beyond what a single user does, shared out. All *processes*
    have one core.
    """
    think = LONG_THINK if users > LARGE else THINK
    arrivals, hold = (LARGE_ARRIVALS, LARGE_HOLD) if users > LARGE else (ARRIVALS, hold)
    with crowded_target(users, processes) as (target, folder, core):
        place = Place(target, folder, core, transport, processes)
        alone = _run(place, 1, 0.0, 1.0, think)
        whole = _run(place, users, users / arrivals, hold, think)
    several = f"{processes} processes on one core" if processes > 1 else "one process"
    return (
        f"crowd over {transport}: {users:,} users with {think:g} s of think time in {several} "
        f"take {whole.most / 1e6:.0f} MB, {(whole.most - alone.most) / users:,.0f} B a user "
        f"({whole.requests:,} requests, none failed, users woken {whole.late_p50 * 1e3:.1f} ms (p50), "
        f"{whole.late_p99 * 1e3:.1f} ms (p99) and {whole.late_max * 1e3:.1f} ms (max) after their think time, "
        f"{whole.cpu:.1f} s of CPU, {whole.verdict}{whole.why})"
    )


def crowd_before(commit: str, users: int, pairs: int) -> str:
    """Return memory of a user and CPU of a visit by *commit* and by this checkout, in alternating pairs of runs."""
    sources = {"before": compiled_commit(commit), "now": Path.cwd()}
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in sources}
    with crowded_target(users) as (target, folder, core):
        for pair in range(pairs):
            for name in sources if pair % 2 == 0 else reversed(sources):
                place = Place(target, folder, core, source=sources[name])
                alone, whole = _run(place, 1, 0.0, 1.0, THINK), _run(place, users, users / ARRIVALS, 10.0, THINK)
                visit = (whole.cpu - alone.cpu) / whole.requests
                seen[name].append(((whole.most - alone.most) / users, visit))
    lines = [f"crowd of {users:,} users, {pairs} alternating pairs: before is {commit}"]
    for what, at, unit, scale in (("memory of a user", 0, "kB", 1e-3), ("CPU of a visit", 1, "µs", 1e6)):
        before, now = [each[at] for each in seen["before"]], [each[at] for each in seen["now"]]
        ratios = sorted(late / early for early, late in zip(before, now, strict=True))
        lines.append(
            f"  {what}: {median(before) * scale:.1f} {unit} before, {median(now) * scale:.1f} {unit} now: "
            f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )
    return "\n".join(lines)


def crowd_together(users: int = STARTED_TOGETHER) -> str:
    """Start all users at the same moment; return when the last one was connected, sent and answered, as lines.

    Beside it, what the same costs in two processes, on two cores one of which the target has, and without Chaperon: a
    bare loop (`bare_crowd.py`). A user's CPU is what all take until the last answer, beyond what a single one does.
    """
    with crowded_target(users) as (target, folder, core):
        bare = _bare(users, target, core)
        both = ",".join(map(str, cores()))
        alone, seen, halves = (
            _run(Place(target, folder, where, processes=processes), many, 0.0, 8.0, LONG_THINK, _TOGETHER)
            for many, processes, where in ((1, 1, core), (users, 1, core), (users, 2, both))
        )
        one, ours, divided = _read(folder, 1, 1), _read(folder, users, 1), _read(folder, users, 2)
        each, shared, least = (ours.used - one.used) / users, divided.used / users, bare.used / users
    return (
        f"{users:,} users started together: {seen.requests:,} requests, {ours}, "
        f"the slowest visit took {seen.slowest:.2f} s, {each * 1e6:.0f} µs of CPU a user, {seen.verdict}{seen.why}; "
        f"beyond the {alone.most / 1e6:.0f} MB of one they take {(seen.most - alone.most) / users:,.0f} B each\n"
        f"  in two processes: {divided}, {shared * 1e6:.0f} µs of CPU a user, {halves.verdict}{halves.why}\n"
        f"  a bare loop: {bare}, {least * 1e6:.0f} µs of CPU a user (Chaperon {each / least:.2f} ×)"
    )


def _read(folder: Path, users: int, processes: int) -> Together:
    """Return the moments of a run, of all of its processes, since the first user began."""
    files = folder.glob(f"answered_{users}_{processes}_*")
    found = [[float(word) for word in file.read_text().split()] for file in files]
    began, *last, used, done = zip(*found, strict=True)
    if sum(done) != users:
        raise SystemExit(f"benchmarks: {sum(done):,.0f} of {users:,} users were answered")
    return Together(*(max(moments) - min(began) for moments in last), sum(used))


def _bare(users: int, target: Target, core: int) -> Together:
    """Return the moments of a bare loop."""
    places = [urlsplit(url) for url in target.urls]
    command = [sys.executable, "-m", "benchmarks.bare_crowd", str(users), str(places[0].port)]
    command += [place.hostname or "" for place in places]
    done = subprocess.run(pinned(core, command), capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode:
        raise SystemExit(f"benchmarks: the bare loop ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return Together(*map(float, done.stdout.split()))


@contextmanager
def crowded_target(users: int, processes: int = 1) -> Iterator[tuple[Target, Path, int]]:
    """Yield a target for a number of connections, a folder, and the core of the generator.

    Ends the program if a process of the generator may not have as many open files.
    """
    wanted = -(-users // processes) + SPARE
    files = many_files(wanted)
    if files < wanted:
        enough = -(-users // max(files - SPARE, 1))
        raise SystemExit(
            f"benchmarks: {users:,} users in {count_text(processes, 'process', 'processes')} need {wanted:,} open "
            f"files each, a process may have {files:,}: ulimit -Hn {wanted}, as root, or --processes {enough}"
        )
    target_core, core = cores()
    servers = -(-users // SERVED)
    with (
        tempfile.TemporaryDirectory(prefix="chaperon-bench-") as name,
        nginx(Path(name), target_core, 19_000, servers) as target,
    ):
        yield target, Path(name), core


@dataclass(frozen=True)
class Place:
    """What a crowd is sent to, where its files are, on which core it runs ("0,1": on any of them), of what *source*."""

    target: Target
    folder: Path
    core: int | str
    transport: str = "wire"
    processes: int = 1
    source: Path = field(default_factory=Path.cwd)

    def urls(self, users: int) -> list[str]:
        """Return what users ask for: a path, or the URLs of several addresses where one has too few ports for them."""
        return list(self.target.urls) if users > PORTS else ["/"]


@dataclass(frozen=True)
class Seen:
    """What a run came to: the most resident bytes of all processes together, CPU seconds, requests, verdict.

    *late* figures are how many seconds after their think time users were woken, NaN where the report has none.
    *slowest* is the longest visit, *why* the reasons of the verdict.
    """

    most: int
    cpu: float
    requests: int
    late_p50: float
    late_p99: float
    late_max: float
    slowest: float
    verdict: str
    why: str


def _run(place: Place, users: int, ramp: float, hold: float, think: float, scenario: str = _SCENARIO) -> Seen:
    file, out = place.folder / f"crowd_{users}.py", place.folder / f"crowd_{users}.json"
    settings = {"users": users, "ramp": ramp, "hold": hold, "think": think, "transport": place.transport}
    answered, each = place.folder / f"answered_{users}_{place.processes}", min(users, EACH)
    file.write_text(scenario.format(urls=place.urls(users), answered=answered, each=each, **settings))
    command = [sys.executable, "-m", "chaperon", "local", str(file), "--url", place.target.url, "--json", str(out)]
    command += ["--quiet", *(("--processes", str(place.processes)) if place.processes > 1 else ())]
    seen = watched(
        pinned(place.core, command),
        patience=ramp + hold + PATIENCE,
        cwd=place.source,
        env={**os.environ, "PYTHONPATH": str(place.source)},
    )
    if seen.code not in (0, 5):  # 5: too slow on a busy machine, which changes no memory
        raise SystemExit(f"benchmarks: the crowd of {users:,} ended with {seen.code}:\n{seen.said[-2000:]}")
    report = json.loads(out.read_text())
    series = [row for row in report["series"] if row["kind"] == "http"]
    if any(row["errors"] for row in series):
        raise SystemExit(f"benchmarks: requests of the crowd of {users:,} failed:\n{seen.said[-2000:]}")
    visits = [row["max"] or 0.0 for row in report["series"] if row["kind"] == "visit"]
    late = next((row for row in report["series"] if row["name"] == "woken late"), {})
    return Seen(
        seen.most,
        seen.used,
        sum(row["count"] for row in series),
        *[math.nan if late.get(name) is None else late[name] for name in ("p50", "p99", "max")],
        max(visits),
        report["verdict"],
        "".join(f"; {reason}" for reason in report["reasons"]),
    )
