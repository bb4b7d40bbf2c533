"""Window: what one worker recorded in one second, and the journal in which it is written before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Literal, Protocol

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.exchange import Exchange
from chaperon.measure.sample import Failure, Key
from chaperon.measure.series import Series
from chaperon.signed import SIGNED_METADATA

OUTCOMES = ("done", "failed", "interrupted", "no_row", "dropped", "lost")
"""The outcomes of a planned visit, in the order in which reports list them."""


@lazy_dataclass(slots=True)
class VisitCounts:
    """Counts of visits by outcome: planned = done + failed + interrupted + no_row + dropped + lost.

    *no_row* visits ended because a feed had no row left for them. *waited* is the sum, over the
    dropped visits, of the seconds since they were due.
    """

    planned: int = 0
    done: int = 0
    failed: int = 0
    interrupted: int = 0
    no_row: int = 0
    dropped: int = 0
    lost: int = 0
    waited: float = 0.0

    def add(self, other: VisitCounts) -> None:
        """Add the counts of *other* to these."""
        self.planned += other.planned
        self.done += other.done
        self.failed += other.failed
        self.interrupted += other.interrupted
        self.no_row += other.no_row
        self.dropped += other.dropped
        self.lost += other.lost
        self.waited += other.waited

    @property
    def ended(self) -> int:
        """The number of visits with an outcome."""
        return self.done + self.failed + self.interrupted + self.no_row + self.dropped + self.lost

    @property
    def made(self) -> int:
        """The number of visits that ended after they had begun, however they ended."""
        return self.done + self.failed + self.interrupted + self.no_row

    @property
    def outcomes(self) -> str:
        """The counts that are not 0 as text, such as "4 done, 1 no row"; "none ended" if all are."""
        counts = [(name, getattr(self, name)) for name in OUTCOMES]
        return ", ".join([f"{count:,} {name.replace('_', ' ')}" for name, count in counts if count]) or "none ended"

    @property
    def balanced(self) -> bool:
        """Whether every planned visit has exactly one outcome."""
        return self.planned == self.ended


@lazy_dataclass(slots=True)
class ErrorCount:
    """The errors of one class in one series.

    *count* is their number, *warm* of them in the warm-up. *first* and *last* are seconds from
    the start of the run. *sample* is the message of the first one, *where* the author's line
    that raised it, such as "shop.py:2 in helper", "" if there is none.
    """

    count: int
    # mypyc keeps no type with a mark, such as `Signed`.
    first: float = field(metadata=SIGNED_METADATA)
    last: float = field(metadata=SIGNED_METADATA)
    sample: str
    warm: int = 0
    where: str = ""

    def add(self, other: ErrorCount) -> None:
        """Add *other* to this and keep the message of the earlier error."""
        if other.first < self.first:
            self.sample, self.where = other.sample, other.where
        self.count += other.count
        self.warm += other.warm
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)


@lazy_dataclass(frozen=True, slots=True)
class RunEvent:
    """An event that the report shows: *at* is in seconds from the start of the run.

    *kind* is "change" (the load was scaled, paused or resumed), "blocked" (a call blocked the
    hub), "held" (a call held the interpreter lock), "collected" (garbage collection),
    "throttled" (the CPU quota of the control group was used up), "stolen" (the hypervisor ran
    another machine), "starved" (other processes occupied the cores), "paused" (the process did
    not run, cause unknown); of several workers also "lost" (a worker was given up), "left" (it left in
    order), "joined" (it came after the beginning) and "suspended" (it had no answer of its master). *took* is the
    duration in seconds, *text* says what and where.
    """

    at: float = field(metadata=SIGNED_METADATA)
    kind: str
    text: str
    took: float = field(default=0.0, metadata=SIGNED_METADATA)

    # mypyc: with a comparison such as `__lt__` the class would have an `__eq__` of its own, by identity.
    @property
    def order(self) -> tuple[float, str, str, float]:
        """What events are sorted by."""
        return self.at, self.kind, self.text, self.took


ErrorKey = tuple[str, str, str]
"""(scenario, series name, error class)"""


@lazy_dataclass(slots=True)
class Window:
    """What one worker recorded in one second of the run.

    No window is changed once it is made. It is not frozen: a master makes thousands a second, and a frozen one takes
    twice the time.

    - *seq*: sequence number 1, 2, 3 … per worker.
    - *at*: the second of the run, from 0.
    - *series*: samples by key.
    - *ledger*: visits by (scenario label, second in which they were due). The outcomes of a
      second arrive in later windows; summed over all windows each second balances.
    - *errors*: errors by (scenario label, series name, error class).
    - *users*: users busy when the window was cut.
    - *health*: the generator's observations of itself: "late_p99" (seconds), "cpu" (cores),
      "stalls" …, see `Health.cut`; and counts of HTTP responses, "responses_2xx" and so on.
    - *notes*: counts of samples refused, capped or similar, by text.
    - *progress*: by share (arrivals started, visits ended, rows taken).
    - *phases*: by (scenario label, phase), seconds of this window in that phase.
    - *due*: by scenario label, seconds of this window in which visits were due, without warm-up.
    - *happenings*: events, rare.
    - *generator*: the delay added by the generator itself, as distributions in seconds: "late",
      by how much visits started after they were due; "lag", how long responses waited for the
      event loop to read them.
    - *unreached*: why no connection could be opened, by base URL; empty once one has been opened.
    - *exchanges*: the first failing requests of each error, with their responses.
    - *body*: the bytes this window was decoded from, None if it did not come encoded or was changed since.
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
    unreached: Mapping[str, str] = field(default_factory=dict)
    exchanges: Sequence[Exchange] = ()
    body: bytes | None = field(init=False, default=None, compare=False, repr=False)


Sink = Callable[[Window], None]


VisitOutcome = Literal["planned", "done", "failed", "interrupted", "no_row", "dropped", "lost"]


class JournalWriter(Protocol):
    """A write-ahead log: a recorder calls these methods with each record before its own method returns.

    What a call has written must survive the process. A call must not block and must not raise.
    """

    def record_fields(
        self,
        key: Key,
        start: float,
        end: float,
        failure: Failure | None,
        bytes: int,
        due: float | None,
        value: float | None,
    ) -> None:
        """Write one sample. The parameters are the fields of a `Sample`, in its order; all moments are in seconds."""

    def amend(self, key: Key, start: float, end: float, before: str | None, failure: Failure) -> None:
        """Write that a sample written before is in error; see `Recorder.amend`."""

    def count_visit(self, label: str, due: float, outcome: VisitOutcome, waited: float, share: str) -> None:
        """Write the outcome of one visit that was *due* at a reading of the clock; see `Recorder.count_visit`."""

    def record_rows(self, share: str, rows: int) -> None:
        """Write how many unique rows of a share have been handed out in all."""

    def count_note(self, what: str) -> None:
        """Write one occurrence of a note."""

    def record_event(self, what: RunEvent) -> None:
        """Write an event of the run."""
