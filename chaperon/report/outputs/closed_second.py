"""ClosedSecond: one second of a run, added up over all workers, as live outputs get it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import field
from typing import NamedTuple

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorCount, ErrorKey, RunEvent, VisitCounts, Window
from chaperon.measure.window_merge import merge_worst
from chaperon.report.texts import Change, map_fields


class WorkerSecond(NamedTuple):
    """What one worker did in one second.

    *errors* is how many of its *requests* ended in one, *visits* how many of its visits ended after they had begun.
    *cpu* is in cores, *late_p99* in seconds, *stalls* how often its event loop stood still.
    """

    requests: int
    errors: int
    visits: int = 0
    cpu: float = 0.0
    late_p99: float = 0.0
    stalls: int = 0

    def __add__(self, other: WorkerSecond) -> WorkerSecond:  # type: ignore[override]  # no tuple of both
        """Return both together: counts are summed, of the other figures the greater one is kept."""
        return WorkerSecond(
            self.requests + other.requests,
            self.errors + other.errors,
            self.visits + other.visits,
            max(self.cpu, other.cpu),
            max(self.late_p99, other.late_p99),
            self.stalls + other.stalls,
        )


@lazy_dataclass(frozen=True, slots=True)
class ClosedSecond:
    """One second of a run, merged over all workers. Nothing in it may be changed: the report uses the same series.

    - *at*: the second of the run, from 0. *time*: its start on the wall clock, in seconds since 1970.
    - *series*: the samples by key; the warm-up has keys of its own (`Key.phase`). Times in seconds.
    - *ledger*: visits by scenario label: those planned and those that ended in this second.
    - *errors*: errors by (scenario label, series name, error class).
    - *users*: users busy at its end. *in_flight*: visits planned up to now that have not ended.
    - *health*: the generator's observations of itself, the worst of any worker: "late_p99"
      (seconds), "cpu" (cores), "stalls" …
    - *generator*: the delay added by the generator, as distributions in seconds ("late", "lag").
    - *phases*: by (scenario label, phase), seconds of this second in that phase.
    - *workers*: what each worker did.
    - *events*: events with the worker they come from. *notes*: counts of what was capped or refused, by text.

    No text holds a secret of the run.
    """

    at: int
    time: float
    series: Mapping[Key, Series] = field(default_factory=dict)
    ledger: Mapping[str, VisitCounts] = field(default_factory=dict)
    errors: Mapping[ErrorKey, ErrorCount] = field(default_factory=dict)
    users: int = 0
    in_flight: int = 0
    health: Mapping[str, float] = field(default_factory=dict)
    generator: Mapping[str, Series] = field(default_factory=dict)
    phases: Mapping[tuple[str, str], float] = field(default_factory=dict)
    workers: Mapping[str, WorkerSecond] = field(default_factory=dict)
    events: Sequence[tuple[str, RunEvent]] = ()
    notes: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<ClosedSecond {self.at}: {self.requests.count} requests, {self.users} users>"

    @property
    def requests(self) -> Series:
        """All requests of this second as one series."""
        return Series.merge_all([series for key, series in self.series.items() if key.is_request])


def closed_second(
    second: int,
    by_key: Mapping[Key, Sequence[Series]],
    windows: Sequence[Window],
    *,
    time: float,
    in_flight: int,
    redact: Change,
) -> ClosedSecond:
    """Return the windows of one second merged, with every text redacted.

    *by_key* are the series of all windows by key, as a listener of the collector gets them.
    """
    ledger: dict[str, VisitCounts] = {}
    errors: dict[ErrorKey, ErrorCount] = {}
    health: dict[str, float] = {}
    generator: dict[str, list[Series]] = {}
    phases: dict[tuple[str, str], float] = {}
    notes: dict[str, int] = {}
    for window in windows:
        for (label, _), counts in window.ledger.items():
            ledger.setdefault(label, VisitCounts()).add(counts)
        for where, error in window.errors.items():
            if where in errors:
                errors[where].add(error)
            else:
                errors[where] = copy(error)
        merge_worst(health, window.health)
        for name, series in window.generator.items():
            generator.setdefault(name, []).append(series)
        for where_in, span in window.phases.items():
            phases[where_in] = max(span, phases.get(where_in, 0.0))
        for text, times in window.notes.items():
            notes[text] = notes.get(text, 0) + times
    whole = ClosedSecond(
        at=second,
        time=time,
        series={key: Series.sum_of(parts) for key, parts in by_key.items()},
        ledger=ledger,
        errors=errors,
        users=sum(window.users for window in windows),
        in_flight=in_flight,
        health=health,
        generator={name: Series.sum_of(parts) for name, parts in generator.items()},
        phases=phases,
        workers={window.worker: _of_worker(window) for window in windows},
        events=tuple((window.worker, event) for window in windows for event in window.happenings),
        notes=notes,
    )
    return map_fields(whole, redact)


def _of_worker(window: Window) -> WorkerSecond:
    requests = [series for key, series in window.series.items() if key.is_request]
    return WorkerSecond(
        sum(series.count for series in requests),
        sum(series.errors for series in requests),
        sum(counts.done + counts.failed + counts.interrupted for counts in window.ledger.values()),
        window.health.get("cpu", 0.0),
        window.health.get("late_p99", 0.0),
        round(window.health.get("stalls", 0)),
    )
