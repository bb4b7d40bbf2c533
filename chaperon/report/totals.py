"""Figures of a run: per second, per worker, over the last seconds, and in total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import field
from typing import Literal, NamedTuple

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.closing import Reported
from chaperon.measure.exchange import ErrorPlace, Exchange
from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorCount, ErrorKey, RunEvent, VisitCounts, Window
from chaperon.measure.window_merge import merge_worst, sample_counts


@lazy_dataclass(slots=True)
class SecondRow:
    """The figures of one second of the run.

    *users* were busy at its end. *p50* and *p95* are in seconds, of the good and censored
    requests; None if they lie among the censored ones. *censored* requests were cut before they
    ended. *health* has the worst value of any worker.
    """

    at: int
    requests: int = 0
    errors: int = 0
    users: int = 0
    p50: float | None = None
    p95: float | None = None
    censored: int = 0
    counts: VisitCounts = field(default_factory=VisitCounts)
    health: dict[str, float] = field(default_factory=dict)

    def copy(self) -> SecondRow:
        """Return a copy that shares nothing with this row."""
        new = copy(self)
        new.counts, new.health = copy(self.counts), dict(self.health)
        return new


@lazy_dataclass(slots=True)
class WorkerStats:
    """The figures of one worker, from the windows received so far.

    *health* has the worst value of each figure, *latest* the newest. *losses* is the number of
    visits whose outcome is unknown because the worker was lost. A worker that is *away* has left:
    no second waits for its windows. One that is *lost* left without sending all of them.
    *missing* are the sequence numbers of windows not yet received. *requests* and *errors* are counts of its
    requests, and of those that ended in an error, warm-up included. *last* is the newest second of which there is
    a window, -1 without any.
    """

    name: str
    windows: int = 0
    last: int = -1
    requests: int = 0
    errors: int = 0
    visits: int = 0
    next_seq: int = 1
    away: bool = False
    lost: bool = False
    missing: set[int] = field(default_factory=set)
    health: dict[str, float] = field(default_factory=dict)
    latest: Mapping[str, float] = field(default_factory=dict)
    losses: int = 0
    reported: Reported = field(default_factory=Reported)

    def record(self, window: Window) -> bool:
        """Add the figures of a window. Return False, and add nothing, if it was received before."""
        if window.seq >= self.next_seq:
            self.missing.update(range(self.next_seq, window.seq))
            self.next_seq = window.seq + 1
        elif window.seq in self.missing:
            self.missing.discard(window.seq)
        else:
            return False
        self.windows += 1
        self.last = max(self.last, window.at)
        self.visits += sum(c.done + c.failed + c.interrupted for c in window.ledger.values())
        counts = sample_counts(window)
        self.requests += counts.requests
        self.errors += counts.errors
        self.reported.add(window, counts)
        merge_worst(self.health, window.health)
        self.latest = window.health
        return True


@lazy_dataclass(frozen=True, slots=True)
class LimitState:
    """A limit of a run that goes on: its *text*, its value so far as text, and what that means.

    *standing* is "broken", "near" (within a tenth of the bound), "held", "missing": no series of its name has come,
    though many visits have ended, or "open": there is no value yet, or none that says anything before the end.
    *note* has the names there are, of one that is missing.
    """

    text: str
    shown: str
    standing: Literal["broken", "near", "missing", "held", "open"]
    note: str = ""

    @property
    def broken(self) -> bool:
        """Whether the value so far breaks it."""
        return self.standing == "broken"


class RecentSecond(NamedTuple):
    """A closed second among the live figures: *planned* visits were due in it, *visits* that had begun ended in it.

    The percentiles are in seconds, of the good and censored requests, however few there are; lower bounds where
    they lie among the censored ones; None without any.
    """

    at: int
    requests: int
    errors: int
    planned: int
    visits: int
    p50: float | None
    p95: float | None
    p99: float | None


@lazy_dataclass(frozen=True, slots=True)
class Pulse:
    """The live figures of a run: rates and percentiles of the last closed seconds, counts since the start.

    Times are in seconds, rates per second. Visits count in the second in which they ended, once they had begun.
    A percentile that lies among censored requests is
    None, and its lower bound is in the field ending in *at_least*. *error* is the error class that
    came up last of those that still occur (the text of an exception of the author's code, with its line), with
    its series and its count since the start. *limit*
    is a limit that is broken so far, about to be, or missing, *limits* are all of them. *ending* is why the run
    was stopped before its end, "" if it was not. *invalid* are the reasons for which
    the run would be INVALID if it ended now, evaluated every five seconds. *seconds* are the last 60 closed seconds,
    the newest last.
    """

    elapsed: int = 0
    users: int = 0
    requests_rate: float = 0.0
    visits_rate: float = 0.0
    errors: int = 0
    error_share: float = 0.0
    p50: float | None = None
    p95: float | None = None
    p50_at_least: float | None = None
    p95_at_least: float | None = None
    p99: float | None = None
    p99_at_least: float | None = None
    visits: int = 0
    requests: int = 0
    dropped: int = 0
    error: str = ""
    error_series: str = ""
    error_count: int = 0
    limit: LimitState | None = None
    limits: tuple[LimitState, ...] = ()
    ending: str = ""
    invalid: tuple[str, ...] = ()
    seconds: tuple[RecentSecond, ...] = ()


@lazy_dataclass(frozen=True, slots=True)
class Totals:
    """The sums of all windows received up to one moment.

    - *phases*: by (scenario label, phase), for how many seconds the load was in that phase.
    - *due*: by scenario label, for how many seconds visits were due, without warm-up.
    - *happenings*: events with the name of their worker, in the order of time.
    - *exchanges*: the first failing requests, by (scenario, series, error class).
    - *generator*: the delay added by the generator itself, as in a window, without warm-up.
    """

    series: Mapping[Key, Series]
    ledger: Mapping[str, VisitCounts]
    seconds: Sequence[SecondRow]
    errors: Mapping[ErrorKey, ErrorCount]
    workers: Sequence[WorkerStats]
    notes: Mapping[str, int]
    phases: Mapping[tuple[str, str], float] = field(default_factory=dict)
    due: Mapping[str, float] = field(default_factory=dict)
    happenings: Sequence[tuple[str, RunEvent]] = ()
    generator: Mapping[str, Series] = field(default_factory=dict)
    exchanges: Mapping[ErrorPlace, Sequence[Exchange]] = field(default_factory=dict)
