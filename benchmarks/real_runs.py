"""Real runs compared: how often two runs of one target differ, and how often a slower target is found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations, product
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.machine import cores, pinned
from benchmarks.truth_runs import GET, ROOT
from chaperon.report.comparison.change import FigureChange
from chaperon.report.comparison.comparison import compare
from chaperon.report.comparison.decision import ChangeKind
from chaperon.report.comparison.noise_floor import noise_floor

LENGTH, SLOWER = 120, 0.15
"""Seconds of a run; the share by which the second target is slower."""
FIGURES = ("p50", "p95", "p99")
BY_RATE = ("--rate", "50")
BY_USERS = ("--users", "2")

Pair = tuple[str, str]


def real_runs(runs: int = 10) -> str:
    """Run each kind of load *runs* times; return the tables. Blocks for some eight minutes a run."""
    with TemporaryDirectory(prefix="chaperon-real-") as name:
        return "\n".join(_tables(Path(name), runs))


def _tables(folder: Path, runs: int) -> Iterator[str]:
    kinds: dict[str, tuple[Sequence[str], float]] = {
        "by rate": (BY_RATE, 0.0),
        "by users": (BY_USERS, 0.0),
        "by rate, slower": (BY_RATE, SLOWER),
        "by users, slower": (BY_USERS, SLOWER),
    }
    files: dict[str, list[str]] = {kind: [] for kind in kinds}
    for number in range(runs):  # one of each in turn: what changes on the machine reaches all of them
        for kind, (load, slower) in kinds.items():
            files[kind].append(str(_run(folder / f"{kind} {number}.chap", load, slower, number)))
    yield f"{runs} runs of {LENGTH} s of each: per cent of pairs"
    yield "| load | pairs | p50 | p95 | p99 | deviation between runs, p50 p95 p99 |"
    yield "|---|---|---|---|---|---|"
    for load in ("by rate", "by users"):
        pairs = [*combinations(files[load], 2)]
        floor = noise_floor(files[load], gates=FIGURES)
        noise = ", ".join("–" if each.between is None else f"{each.between:.1%}" for each in floor.figures)
        yield f"| the same target {load}: any change seen | {_row(pairs, _seen)} | {noise} |"
        yield f"| the same target {load}: slower or faster than the margin | {_row(pairs, _beyond)} | |"
        slower = [*product(files[load], files[f"{load}, slower"])]
        yield f"| {SLOWER:.0%} slower {load}: found slower | {_row(slower, _slower)} | |"


def _run(file: Path, load: Sequence[str], slower: float, seed: int) -> Path:
    target_core, core = cores()
    scenario = file.with_name("scenario.py")
    scenario.write_text(GET)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(file.parent)}
    with _target(target_core, slower) as url:
        command = [sys.executable, "-m", "chaperon", "local", str(scenario), "--url", url, "--run-file", str(file)]
        command += ["--hold", f"{LENGTH}s", "--seed", str(seed), "--quiet", *load]
        subprocess.run(pinned(core, command), env=environment, check=True, capture_output=True, timeout=2 * LENGTH)
    return file


@contextmanager
def _target(core: int, slower: float) -> Iterator[str]:
    command = pinned(core, [sys.executable, "-m", "benchmarks.wandering_target", str(slower)])
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(child.stdout.readline())}"
    finally:
        child.stdin.close()
        child.wait()


def _row(pairs: Sequence[Pair], alarm: Callable[[FigureChange], bool]) -> str:
    alarms = dict.fromkeys(FIGURES, 0)
    for first, second in pairs:
        for figure in FIGURES:
            alarms[figure] += alarm(compare([first], [second], gates=[figure])[figure])
    return " | ".join([str(len(pairs)), *(f"{100 * alarms[figure] / len(pairs):.0f}" for figure in FIGURES)])


def _seen(change: FigureChange) -> bool:
    return change.outcome is not None and (change.outcome.found.low > 0 or change.outcome.found.high < 0)


def _beyond(change: FigureChange) -> bool:
    return change.change in (ChangeKind.SLOWER, ChangeKind.FASTER)


def _slower(change: FigureChange) -> bool:
    return change.change is ChangeKind.SLOWER
