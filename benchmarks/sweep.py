"""Generator load from 10 to 110 % of a core: no figure that is not true without a mark."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import many_files
from benchmarks.queue_target import Service, built, lateness
from benchmarks.truth import AGAIN, DISTURBED, Figure, compare, full_core
from benchmarks.truth_runs import Asked, Seen, run

LEVELS = tuple(range(10, 120, 10))
SERVICE = Service(0.002)
THINK = 0.05
SECONDS = 5.0


@dataclass(frozen=True)
class Point:
    """A load of *level* percent of a core, *open* or closed, *beside* a busy loop on that core or alone."""

    level: int
    open: bool
    beside: bool

    def asked(self, full: float) -> Asked:
        """Return what is asked, given the visits a second that use up one core."""
        rate = self.level / 100 * full
        load = f'rate({rate:.0f}, hold="{SECONDS:g}s")'
        if not self.open:  # users come within a second: their first visits are connections, too
            users = max(round(rate * (SERVICE.seconds + THINK)), 1)
            load = f'users({users}, ramp="1s", hold="{SECONDS - 1:g}s", think={THINK})'
        return Asked(load, SERVICE, beside=self.beside)

    def __str__(self) -> str:
        return f"{'open' if self.open else 'closed'}{', beside a busy loop' if self.beside else ', alone'}"


POINTS = tuple(Point(n, open, beside) for beside in (False, True) for open in (True, False) for n in LEVELS)


def sweep(seeds: int = 1) -> str:
    """Run every point with *seeds* seeds; return the table. Blocks for some six minutes a seed."""
    many_files()
    lines = ["| load of the generator | of a core | worst figure, ms | verdict | marked | right |", "|---" * 6 + "|"]
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="chaperon-sweep-") as name:
        folder = Path(name)
        binary = built(folder)
        full = {open: full_core(binary, folder, open=open) for open in (True, False)}
        print(f"one core sends {full[True]:,.0f} visits/s (open), {full[False]:,.0f} visits/s (closed)", flush=True)
        for seed in range(1, seeds + 1):
            for point in POINTS:
                seen = _witnessed(point, full[point.open], binary, folder, seed)
                line, right = _line(point, seen)
                lines.append(line)
                wrong += not right
                print(line, flush=True)
    total = seeds * len(POINTS)
    return "\n".join(["", *lines, "", f"{total - wrong} of {total} runs said nothing untrue without a mark"])


def _witnessed(point: Point, full: float, binary: Path, folder: Path, seed: int) -> Seen:
    """Run a point, again where the server itself was disturbed."""
    for _ in range(AGAIN):
        seen = run(point.asked(full), binary, folder, seed)
        if lateness(seen.requests) <= DISTURBED:
            break
    return seen


def _line(point: Point, seen: Seen) -> tuple[str, bool]:
    report = seen.report
    if report is None:
        return f"| {point.level} %, {point} | | no report | exit {seen.code} | | **no** |", False
    figures = compare(seen)
    false = [f for f in figures if not f.true]
    right = report["verdict"] == "INVALID" or all(f.marked for f in false)
    worst = max(figures, key=_off)
    marked = f"{sum(f.marked for f in figures)} of {len(figures)}"
    cpu = report["generator"].get("cpu") or 0.0
    figure = f"{worst.clock} {worst.name} {1000 * worst.truth:.1f} {1000 * worst.off:+.1f}"
    answer = "yes" if right else f"**no**: {', '.join(f'{f.clock} {f}' for f in false if not f.marked)}"
    return f"| {point.level} %, {point} | {cpu:.2f} | {figure} | {report['verdict']} | {marked} | {answer} |", right


def _off(figure: Figure) -> float:
    return abs(figure.off)
