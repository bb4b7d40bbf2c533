"""Where the time of a visit goes: the hot loop under py-spy, its samples by room."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.machine import cores, pinned, program
from benchmarks.peers import AS_WRITTEN, Job
from benchmarks.target import nginx

RATE = 400
"""Samples a second."""

PLACES = [
    ("the kernel: sending", r"Channel\.send$"),
    ("the kernel: receiving", r"Channel\.receive$"),
    ("the hub: waiting, waking", r"Hub\.run$|Channel\._wait$"),
    ("llhttp, with what it calls", r"chaperon/client/parser\.py"),
    ("a connection, taken and given back", r"chaperon/client/(transport|connection|channel)\.py"),
    ("the head, composed", r"chaperon/client/(heads|wired|memory)\.py"),
    ("the request, its response", r"chaperon/client/"),
    ("measuring", r"chaperon/measure/|chaperon/script/measuring\.py"),
    ("the visit, its steps", r"chaperon/script/|scenario\.py"),
    ("the load, the ledger", r"chaperon/load/"),
]
_FRAME = re.compile(r"(?P<name>.+) \((?P<file>[^:()]+)(?::\d+)?\)")


def profile(case: Case, *, users: int = 64, seconds: float = 10.0) -> str:
    """Send *case* under py-spy; return the table of where its samples fell.

    The source runs as it is written: into compiled code py-spy does not see.
    """
    target_core, core = cores()
    with tempfile.TemporaryDirectory(prefix="chaperon-bench-") as folder, nginx(Path(folder), target_core) as target:
        raw = Path(folder) / "raw"
        job = Job(case, target, Path(folder), users, seconds)
        spy = [program("py-spy"), "record", "-r", str(RATE), "-f", "raw", "-o", str(raw), "--"]
        done = subprocess.run(pinned(core, [*spy, *AS_WRITTEN.command(job)]), capture_output=True, text=True)
        if not raw.exists():
            raise SystemExit(f"benchmarks: py-spy said: {done.stderr[-2000:]}")
        return table(case, raw.read_text())


def table(case: Case, raw: str) -> str:
    """Return the shares of the samples that fell into visits, or into the hub between them."""
    seen: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, n = line.rpartition(" ")
        frames = stack.split(";")
        if any("Flight._run" in frame for frame in frames) or "Hub.run" in frames[-1]:
            seen[_place(frames)] += int(n)
    total = sum(seen.values())
    lines = [f"{case.name}: {total:,} samples of the loop, {RATE} a second"]
    lines += [f"  {place:<38}{100 * n / total:6.1f} %" for place, n in seen.most_common()]
    return "\n".join(lines)


def _place(frames: list[str]) -> str:
    """Return the part that a sample's time belongs to: that of the innermost frame with a part."""
    for frame in reversed(frames):
        found = _FRAME.fullmatch(frame)
        if found is None:
            continue
        for place, pattern in PLACES:
            if re.search(pattern, found["name"]) or re.search(pattern, found["file"]):
                return place
    return "elsewhere"
