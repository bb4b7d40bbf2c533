"""Merging windows: those of one worker into one of several seconds, and health figures into the worst of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from chaperon.measure.exchange import first_exchanges
from chaperon.measure.sample import NON_REQUEST_KINDS, RESPONSES, Key
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorCount, ErrorKey, VisitCounts, Window

_COUNTS = ("stalls", "starts", "dropped_late", "dropped_cap", "gc", "queued", "throttled", "throttles", "steal")
COUNTED = frozenset((*_COUNTS, *RESPONSES[1:]))
"""The health figures that are counts of one window, which are summed; of the others the greatest counts."""


class SampleCounts(NamedTuple):
    """How many samples a window has, how many of them are HTTP requests, requests of any kind, requests in error."""

    samples: int
    http: int
    requests: int
    errors: int


def sample_counts(window: Window) -> SampleCounts:
    """Return how many samples a window has. A master counts those of every series of every window."""
    samples = http = requests = errors = 0
    for key, series in window.series.items():
        failing = series.bad.count + series.censored.count
        count = series.good.count + failing
        kind = key.kind
        samples += count
        if kind == "http":
            http += count
        if kind not in NON_REQUEST_KINDS:
            requests += count
            errors += failing
    return SampleCounts(samples, http, requests, errors)


def merge_worst(known: dict[str, float], seen: Mapping[str, float]) -> None:
    """Add the health figures of one more window to *known*: counts are summed, of the rest the greatest is kept."""
    for name, value in seen.items():
        worst = known.get(name, 0.0)
        known[name] = worst + value if name in COUNTED else max(worst, value)


def merge_windows(windows: Sequence[Window]) -> Window:
    """Return one window with the content of *windows*, consecutive windows of one worker, oldest first.

    Its number, second, users and unreached targets are those of the last one. Counts and spans are summed,
    sketches merged, and of each health figure the worst is kept. Raises ValueError if
    *windows* is empty.
    """
    if not windows:
        raise ValueError("no windows to merge")
    series: dict[Key, list[Series]] = {}
    generator: dict[str, list[Series]] = {}
    ledger: dict[tuple[str, int], VisitCounts] = {}
    errors: dict[ErrorKey, ErrorCount] = {}
    health: dict[str, float] = {}
    notes: Counter[str] = Counter()
    phases: dict[tuple[str, str], float] = {}
    due: dict[str, float] = {}
    for window in windows:
        for key, part in window.series.items():
            series.setdefault(key, []).append(part)
        for name, part in window.generator.items():
            generator.setdefault(name, []).append(part)
        for where, counts in window.ledger.items():
            ledger.setdefault(where, VisitCounts()).add(counts)
        for at, error in window.errors.items():
            if at in errors:
                errors[at].add(error)
            else:
                errors[at] = replace(error)
        merge_worst(health, window.health)
        notes.update(window.notes)
        for place, span in window.phases.items():
            phases[place] = phases.get(place, 0.0) + span
        for label, span in window.due.items():
            due[label] = due.get(label, 0.0) + span
    last = windows[-1]
    return Window(
        worker=last.worker,
        seq=last.seq,
        at=last.at,
        series={key: Series.sum_of(parts) for key, parts in series.items()},
        ledger=ledger,
        errors=errors,
        health=health,
        progress=last.progress,
        users=last.users,
        notes=dict(notes),
        phases=phases,
        due=due,
        happenings=tuple(event for window in windows for event in window.happenings),
        generator={name: Series.sum_of(parts) for name, parts in generator.items()},
        unreached=last.unreached,
        exchanges=first_exchanges(each for window in windows for each in window.exchanges),
    )
