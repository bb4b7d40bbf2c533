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
MARGIN = 0.05
"""A change that is asked for beside the margins that apply by default."""
INVALID, ATTEMPTS = 5, 3
"""The exit code of a run that is INVALID; how often it is made before the benchmark ends."""
BY_RATE = ("--rate", "50")
BY_USERS = ("--users", "2")

Pair = tuple[str, str]


def real_runs(
    runs: int = 10, *, length: int = LENGTH, keep: Path | None = None, margins: Sequence[float] = (MARGIN,)
) -> str:
    """Run each kind of load *runs* times, *length* seconds each; return the tables. Blocks for some 8 minutes a run.

    With *keep*, the run files stay in that folder, and those that are there already are used: other *margins*
    (shares) can be asked for later without a run. Raises SystemExit if a run is INVALID three times.
    """
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        return "\n".join(_tables(keep, runs, length, margins))
    with TemporaryDirectory(prefix="chaperon-real-") as name:
        return "\n".join(_tables(Path(name), runs, length, margins))


def _tables(folder: Path, runs: int, length: int, margins: Sequence[float]) -> Iterator[str]:
    kinds: dict[str, tuple[Sequence[str], float]] = {
        "by rate": (BY_RATE, 0.0),
        "by users": (BY_USERS, 0.0),
        "by rate, slower": (BY_RATE, SLOWER),
        "by users, slower": (BY_USERS, SLOWER),
    }
    files: dict[str, list[str]] = {kind: [] for kind in kinds}
    for number in range(runs):  # one of each in turn: what changes on the machine reaches all of them
        for kind, (load, slower) in kinds.items():
            file = folder / f"{kind} {number}.chap"
            if not file.exists():
                _run(file, load, slower, number, length)
            files[kind].append(str(file))
    yield f"{runs} runs of {length} s of each: per cent of pairs"
    yield "| load | pairs | p50 | p95 | p99 | deviation between runs, p50 p95 p99 |"
    yield "|---|---|---|---|---|---|"
    for load in ("by rate", "by users"):
        pairs = [*combinations(files[load], 2)]
        floor = noise_floor(files[load], gates=FIGURES)
        noise = ", ".join("–" if each.between is None else f"{each.between:.1%}" for each in floor.figures)
        yield f"| the same target {load}: any change seen | {_row(pairs, _seen)} | {noise} |"
        yield f"| the same target {load}: slower or faster than the margin | {_row(pairs, _beyond)} | |"
        for margin in margins:
            row = _row(pairs, _beyond, margin)
            yield f"| the same target {load}: slower or faster than {100 * margin:g} % | {row} | |"
        slower = [*product(files[load], files[f"{load}, slower"])]
        yield f"| {SLOWER:.0%} slower {load}: found slower | {_row(slower, _slower)} | |"


def _run(file: Path, load: Sequence[str], slower: float, seed: int, length: int) -> None:
    """Write the file of a run, whole or not at all. A run that is INVALID is made again."""
    target_core, core = cores()
    scenario, part = file.with_name("scenario.py"), file.with_name("unfinished")
    scenario.write_text(GET)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(file.parent)}
    for _ in range(ATTEMPTS):
        with _target(target_core, slower) as url:
            command = [sys.executable, "-m", "chaperon", "local", str(scenario), "--url", url, "--run-file", str(part)]
            command += ["--hold", f"{length}s", "--seed", str(seed), "--quiet", *load]
            done = subprocess.run(
                pinned(core, command), env=environment, capture_output=True, text=True, timeout=2 * length
            )
        if done.returncode == 0:
            part.rename(file)
            return
        if done.returncode != INVALID:
            break
    raise SystemExit(f"benchmarks: {file.stem} ended with exit code {done.returncode}: {done.stdout}{done.stderr}")


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


def _row(pairs: Sequence[Pair], alarm: Callable[[FigureChange], bool], margin: float | None = None) -> str:
    """Return how many of *pairs* can be compared, and the percentage of these with an alarm for each figure."""
    compared, alarms = 0, dict.fromkeys(FIGURES, 0)
    for first, second in pairs:
        for figure in FIGURES:
            margins = None if margin is None else {figure: margin}
            found = compare([first], [second], gates=[figure], margins=margins)
            if found.refused:
                break
            alarms[figure] += alarm(found[figure])
        else:
            compared += 1
    shares = (f"{100 * alarms[figure] / compared:.0f}" if compared else "–" for figure in FIGURES)
    return " | ".join([str(compared), *shares])


def _seen(change: FigureChange) -> bool:
    return change.outcome is not None and (change.outcome.found.low > 0 or change.outcome.found.high < 0)


def _beyond(change: FigureChange) -> bool:
    return change.change in (ChangeKind.SLOWER, ChangeKind.FASTER)


def _slower(change: FigureChange) -> bool:
    return change.change is ChangeKind.SLOWER
