"""The table of a run's workers, one line per worker."""

from __future__ import annotations

from collections.abc import Sequence

from chaperon.measure.quantity import count_text
from chaperon.report.format import time_text
from chaperon.report.redaction.redaction import redacted_line
from chaperon.report.totals import WorkerStats

SHOWN = 12
_HEAD = ("workers", "visits", "cpu", "late p99", "lag max", "")


def worker_lines(workers: Sequence[WorkerStats], *, now: bool = False, most: int = SHOWN) -> list[str]:
    """Return a table of the *most* workers with the worst health; an empty list for fewer than two workers.

    It shows the worst figures of the run, or with *now* the newest ones.
    """
    if len(workers) < 2:
        return []
    chosen = sorted(workers, key=_severity, reverse=True)[:most]
    rows = [_HEAD, *(_row(worker, now) for worker in workers if worker in chosen)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_cells(row, widths)).rstrip() for row in rows]
    if len(workers) > most:
        lines.append(f"and {count_text(len(workers) - most, 'worker')} with better figures")
    return lines


def _severity(worker: WorkerStats) -> tuple[bool, float, float]:
    health = worker.health
    return worker.lost, health.get("late_p99", 0.0) + health.get("lag_max", 0.0), health.get("cpu", 0.0)


def _row(worker: WorkerStats, now: bool) -> tuple[str, ...]:
    health = worker.latest if now else worker.health
    lost = (
        f"lost, {count_text(worker.losses, 'visit')} with it" if worker.lost else "gone" if now and worker.away else ""
    )
    return (
        redacted_line(worker.name),
        f"{worker.visits:,}",
        f"{health.get('cpu', 0.0):.2f}",
        time_text(health.get("late_p99", 0.0)),
        time_text(health.get("lag_max", 0.0)),
        lost,
    )


def _cells(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *numbers, last = (
        cell.ljust(width) if place in (0, len(row) - 1) else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return [first, *numbers, last]
