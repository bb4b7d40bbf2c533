"""Chaperon beside its peers: requests a second on one core, alternating, the median of several rounds."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.cases import Case
from benchmarks.machine import cores, many_files
from benchmarks.measured_child import SentNothing, measure_child
from benchmarks.peer_programs import PROGRAMS
from benchmarks.peers import HTTP_USER, PEERS, STOCK, Job, Peer
from benchmarks.target import nginx


@dataclass(frozen=True)
class Figure:
    """What one run came to: requests a second as the target counted them, CPU seconds a request."""

    rate: float
    cost: float


def duel(
    case: Case, *, peers: Sequence[Peer] = (*PEERS, *PROGRAMS), users: int = 64, seconds: float = 2.0, rounds: int = 5
) -> str:
    """Measure every peer on *case* in turn, round after round; return the table."""
    many_files()
    peers = [peer for peer in peers if peer.can(case)]
    seen: dict[str, list[Figure]] = {peer.name: [] for peer in peers}
    target_core, generator_core = cores()
    with tempfile.TemporaryDirectory(prefix="chaperon-bench-") as folder, nginx(Path(folder), target_core) as target:
        for lap in range(rounds):
            for peer in peers if lap % 2 == 0 else reversed(peers):  # so that a drift weighs on all alike
                own = Path(folder) / f"{lap} {peer.name}".replace(" ", "-")
                own.mkdir()
                job = Job(case, target, own, users, case.warm + seconds + case.margin)
                seen[peer.name].append(measured(peer, job, generator_core, seconds))
    return table(case, {name: _median(figures) for name, figures in seen.items()}, users, seconds, rounds)


def measured(peer: Peer, job: Job, core: int, seconds: float) -> Figure:
    """Run one peer on one core; blocks until it has ended. Ends the benchmark where requests failed."""
    command, counted = peer.command(job), job.target.requests
    with (job.folder / "stdout").open("w") as out, (job.folder / "stderr").open("w") as err:
        try:
            found = measure_child(command, core, out=out, err=err, counted=counted, warm=job.case.warm, seconds=seconds)
        except SentNothing as exc:
            raise _useless(peer, job, str(exc)) from None
    failures = peer.failures((job.folder / "stdout").read_text(), job)
    if failures:
        raise _useless(peer, job, f"had {failures:,} failed requests")
    return Figure(found.rate, found.cost)


def _useless(peer: Peer, job: Job, why: str) -> SystemExit:
    said = "".join((job.folder / name).read_text()[-2000:] for name in ("stdout", "stderr"))
    return SystemExit(f"benchmarks: {peer.name} {why}; its last words:\n{said}")


def _median(figures: Sequence[Figure]) -> Figure:
    return Figure(median(f.rate for f in figures), median(f.cost for f in figures))


def table(case: Case, figures: dict[str, Figure], users: int, seconds: float, rounds: int) -> str:
    """Return the figures as lines, each peer's with Chaperon's ratio to it."""
    ours = figures["Chaperon"]
    lines = [
        f"{case.name}: {users} users, one core, median of {rounds} alternating runs of {seconds:g} s",
        f"  {'':<22}{'requests/s':>12}{'CPU each':>12}{'Chaperon is':>14}{'by CPU':>10}",
    ]
    for name, figure in figures.items():
        lines.append(
            f"  {name:<22}{figure.rate:>12,.0f}{figure.cost * 1e6:>9,.0f} µs{ours.rate / figure.rate:>12.2f} ×"
            f"{figure.cost / ours.cost:>8.2f} ×"
        )
    if STOCK.name in figures and HTTP_USER.name in figures:
        ratio = figures[STOCK.name].rate / figures[HTTP_USER.name].rate
        lines.append(f"  with the stock adapter of requests Chaperon is {ratio:.2f} × Locust HttpUser")
    return "\n".join(lines)
