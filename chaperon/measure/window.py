"""One second of every series, numbered, from one worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chaperon.measure.sample import Key
from chaperon.measure.series import Series


@dataclass(slots=True)
class VisitCounts:
    """What became of visits: planned = done + failed + interrupted + dropped + lost.

    *waited* is for how many seconds, in sum, the dropped ones had been due.
    """

    planned: int = 0
    done: int = 0
    failed: int = 0
    interrupted: int = 0
    dropped: int = 0
    lost: int = 0
    waited: float = 0.0

    def add(self, other: VisitCounts) -> None:
        """Add *other* to this."""
        self.planned += other.planned
        self.done += other.done
        self.failed += other.failed
        self.interrupted += other.interrupted
        self.dropped += other.dropped
        self.lost += other.lost
        self.waited += other.waited

    @property
    def ended(self) -> int:
        """How many of the planned visits are accounted for."""
        return self.done + self.failed + self.interrupted + self.dropped + self.lost

    @property
    def balanced(self) -> bool:
        """Whether every planned visit is accounted for, once."""
        return self.planned == self.ended


@dataclass(slots=True)
class ErrorCount:
    """One class of error of one series: how often, when (seconds from the start), in whose words.

    *warm* of them belong to the warm-up.
    """

    count: int
    first: float
    last: float
    sample: str
    warm: int = 0

    def add(self, other: ErrorCount) -> None:
        """Add *other* to this; the words are those of the earlier one."""
        if other.first < self.first:
            self.sample = other.sample
        self.count += other.count
        self.warm += other.warm
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)


@dataclass(frozen=True, slots=True, order=True)
class RunEvent:
    """Something a reader of the report has to know of: *at* is seconds from the start of the run.

    *kind* is "change" (somebody scaled or paused the load), "blocked" (a call stopped the
    hub), "held" (a call kept the interpreter lock), "collected" (garbage was), "throttled" (the
    control group's CPU quota was used up), "stolen" (the hypervisor ran another machine),
    "starved" (other processes kept the cores), "paused" (not run, cause unknown).
    *took* is in seconds, *text* says what and where.
    """

    at: float
    kind: str
    text: str
    took: float = 0.0


ErrorKey = tuple[str, str, str]
"""(scenario, series name, error class)"""


@dataclass(frozen=True, slots=True)
class Window:
    """What one worker recorded in one second.

    *seq* counts 1, 2, 3 … per worker; *at* is the second of the run, from 0. *ledger* holds
    changes by (scenario label, second in which the visits were due), so that each second
    balances by itself in the end. *users* were busy at the cut. *health* has "late_p99"
    (seconds), "cpu" (cores), "stalls" and what else the generator saw of itself. *notes*
    counts what was refused or capped. *progress* is, by share: arrivals started, visits
    ended, rows taken. *phases* is, by (scenario label, phase), for how many seconds of this
    window the load was in it, *due*, by scenario label, for how many seconds visits were due
    that are no warm-up. *happenings* are rare. *generator* has the generator's own part
    of what was measured, as distributions in seconds: "late", by how much visits started after
    they were due; "lag", for how long responses waited for the event loop to read them.
    """

    worker: str
    seq: int
    at: int
    series: Mapping[Key, Series] = field(default_factory=dict)
    ledger: Mapping[tuple[str, int], VisitCounts] = field(default_factory=dict)
    errors: Mapping[ErrorKey, ErrorCount] = field(default_factory=dict)
    health: Mapping[str, float] = field(default_factory=dict)
    progress: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    users: int = 0
    notes: Mapping[str, int] = field(default_factory=dict)
    phases: Mapping[tuple[str, str], float] = field(default_factory=dict)
    due: Mapping[str, float] = field(default_factory=dict)
    happenings: Sequence[RunEvent] = ()
    generator: Mapping[str, Series] = field(default_factory=dict)


Sink = Callable[[Window], None]
