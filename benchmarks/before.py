"""This checkout beside an earlier commit of it, both compiled: CPU a request, in alternating pairs of runs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.cases import Case
from benchmarks.compiled import compiled_commit
from benchmarks.duel import measured
from benchmarks.machine import cores, many_files
from benchmarks.peers import CHAPERON, Job, checkout
from benchmarks.target import nginx


def before(commit: str, case: Case, *, users: int, seconds: float, pairs: int) -> str:
    """Return a line: the median CPU of a request by *commit* and by this checkout, the median ratio of the pairs.

    Blocks for about twice *pairs* times *seconds* and two more.
    """
    many_files()
    peers = [checkout("before", compiled_commit(commit)), CHAPERON]
    costs: dict[str, list[float]] = {peer.name: [] for peer in peers}
    target_core, generator_core = cores()
    with tempfile.TemporaryDirectory(prefix="chaperon-bench-") as folder, nginx(Path(folder), target_core) as target:
        for pair in range(pairs):
            for peer in peers if pair % 2 == 0 else reversed(peers):
                own = Path(folder) / f"{pair}-{peer.name}"
                own.mkdir()
                job = Job(case, target, own, users, case.warm + seconds + case.margin)
                costs[peer.name].append(measured(peer, job, generator_core, seconds).cost)
    return _line(case.name, costs["before"], costs[CHAPERON.name])


def _line(name: str, old: Sequence[float], new: Sequence[float]) -> str:
    ratios = sorted(after / earlier for earlier, after in zip(old, new, strict=True))
    return (
        f"{name}: {median(old) * 1e6:.1f} µs of CPU before, {median(new) * 1e6:.1f} µs now: "
        f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f} in {len(ratios)} pairs)"
    )
