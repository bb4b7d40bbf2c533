"""How much memory a user costs: thousands with think time, in one process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import cores, many_files, memory_of, pinned
from benchmarks.target import Target, nginx

ARRIVALS = 700.0
THINK = 10.0
PATIENCE = 60.0

_SCENARIO = f"""
from chaperon import Environment, Scenario, Service, run, step, users

@step
def look(session):
    session.get("/")

crowd = Scenario(look)
environment = Environment(
    services={{{{"default": Service(transport="{{transport}}")}}}},
    scenarios=[run(crowd, users({{users}}, ramp={{ramp}}, hold={{hold}}, think={THINK}))],
)
"""


def crowd(users: int = 10_000, hold: float = 10.0, transport: str = "wire") -> str:
    """Let that number of users come, look and think for *hold* seconds; return the figures as a line.

    Each makes a request every ten seconds on a connection of its own that is kept open. A
    user's bytes are what the whole crowd takes beyond what a single user does, shared out.
    """
    many_files()
    target_core, core = cores()
    with tempfile.TemporaryDirectory(prefix="chaperon-bench-") as folder, nginx(Path(folder), target_core) as target:
        alone, _ = _most(1, 1.0, transport, target, Path(folder), core)
        most, requests = _most(users, hold, transport, target, Path(folder), core)
    return (
        f"crowd over {transport}: {users:,} users with {THINK:g} s of think time in one process "
        f"take {most / 1e6:.0f} MB, {(most - alone) / users:,.0f} B a user ({requests:,} requests, none failed)"
    )


def _most(users: int, hold: float, transport: str, target: Target, folder: Path, core: int) -> tuple[int, int]:
    """Return the most resident bytes of a run, with its number of requests."""
    file, out = folder / f"crowd_{users}.py", folder / f"crowd_{users}.json"
    file.write_text(_SCENARIO.format(users=users, ramp=users / ARRIVALS, hold=hold, transport=transport))
    command = [sys.executable, "-m", "chaperon", "local", str(file), "--url", target.url, "--json", str(out), "--quiet"]
    most, deadline = 0, time.perf_counter() + users / ARRIVALS + hold + PATIENCE
    child = subprocess.Popen(pinned(core, command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while child.poll() is None and time.perf_counter() < deadline:
            try:
                most = memory_of(child.pid, "VmHWM")
            except ProcessLookupError:  # it ended between two looks
                break
            time.sleep(0.1)
    finally:
        if child.poll() is None and time.perf_counter() >= deadline:
            child.kill()
        said, _ = child.communicate()
    if child.returncode not in (0, 5):  # 5: too slow on a busy machine, which changes no memory
        raise SystemExit(f"benchmarks: the crowd of {users:,} ended with {child.returncode}:\n{said[-2000:]}")
    series = [row for row in json.loads(out.read_text())["series"] if row["kind"] == "http"]
    if any(row["errors"] for row in series):
        raise SystemExit(f"benchmarks: requests of the crowd of {users:,} failed:\n{said[-2000:]}")
    return most, sum(row["count"] for row in series)
