"""Sample: one measurement with its key, moments and outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from chaperon.author_frames import Place
from chaperon.measure.plain_text import LABEL, NAME, encodable

STEADY: Final = "steady"
WARM_UP: Final = "warm-up"
"""The phase whose samples are left out of the headline figures and of limits."""
NON_REQUEST_KINDS: Final = frozenset({"step", "call", "task", "visit", "check", "trip", "value", "count", "gauge"})
"""The kinds of series that are not requests; any other kind, such as "http", is one."""
RESPONSES: Final = ("", "responses_1xx", "responses_2xx", "responses_3xx", "responses_4xx", "responses_5xx")
"""The health figures that count HTTP responses, by the hundred of their status."""


class Key(NamedTuple):
    """The identity of a series: scenario label, series name, kind, phase and tags.

    *kind* is "http", "ws", "step", "call", "task", "visit", "check", "trip", "value", "count",
    "gauge", or a kind the scenario defines. *phase* is "steady", "warm-up" or the name of a
    phase. *tags* are (name, value) pairs, sorted.
    """

    scenario: str
    name: str
    kind: str = "http"
    phase: str = STEADY
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def is_request(self) -> bool:
        """Whether the series counts as requests: kinds "http", "ws" and those the scenario defines."""
        return self.kind not in NON_REQUEST_KINDS

    def plain(self) -> Key:
        """Return the key with all its texts encodable as UTF-8 and of bounded length."""
        # mypyc turns a generator expression into a list anyway; written as one, the build gives no warning.
        return Key(
            encodable(self.scenario, NAME),
            encodable(self.name, NAME),
            encodable(self.kind, LABEL),
            encodable(self.phase, LABEL),
            tuple([(encodable(name, LABEL), encodable(value, LABEL)) for name, value in self.tags]),
        )


class Trace(NamedTuple):
    """The author's lines that an exception went through, where it was raised last, and its description."""

    places: tuple[Place, ...]
    text: str


class Reserved(NamedTuple):
    """What limits speak of: series by a predicate of their key, (name, value) pairs of tags, and error classes."""

    covers: Callable[[Key], bool]
    tags: frozenset[tuple[str, str]]
    errors: frozenset[str]


def _covers_nothing(key: Key) -> bool:
    return False


NOTHING_RESERVED = Reserved(_covers_nothing, frozenset(), frozenset())
"""What is reserved in a run without limits."""


class Failure(NamedTuple):
    """Why a sample failed.

    *error* is the error class it is counted under, *message* the text shown with it. *listed*
    is false if an inner series has already listed the same exception. *censored* is true if
    the sample was cut by a time limit or the end of the run, so its true duration is at least
    the measured one. *begun* is false for a visit that was due and never started: only the
    response time since it was due is known, and it does not count as a sample. *where* is the
    author's line that raised the exception, such as "shop.py:2 in helper", "" if there is none;
    *traces* are the author's lines that led to it and to the exceptions that caused it, the first cause first.
    """

    error: str
    message: str = ""
    listed: bool = True
    censored: bool = False
    begun: bool = True
    where: str = ""
    traces: tuple[Trace, ...] = ()

    def plain(self) -> Failure:
        """Return the failure with its texts encodable as UTF-8 and of bounded length."""
        error, message, where = encodable(self.error, LABEL), encodable(self.message), encodable(self.where)
        if error is self.error and message is self.message and where is self.where:
            return self
        return self._replace(error=error, message=message, where=where)


NEVER_BEGUN = Failure("never begun", listed=False, censored=True, begun=False)
"""The failure of a visit that was due and never started."""


class Sample(NamedTuple):
    """One measurement.

    *start*, *end* and *due* are readings of one monotonic clock, in seconds. *due* is when the
    work should have started, None if nothing scheduled it. *bytes* is the number of bytes
    received. *value* is None for durations, otherwise the count, gauge or value recorded.
    """

    key: Key
    start: float
    end: float
    failure: Failure | None = None
    bytes: int = 0
    due: float | None = None
    value: float | None = None

    @property
    def took(self) -> float:
        """The service time, end minus start, in seconds; for a sample with a *value*, that value."""
        return self.end - self.start if self.value is None else self.value


Row = tuple[Key, float, float, Failure | None, int, float | None, float | None]
"""The fields of a sample as a plain tuple: creating one costs a quarter of creating a `Sample`."""
# mypyc: a call with seven positional parameters between compiled functions builds no tuple. The hot functions
# (`record_fields`) therefore take the fields one by one instead of a `Sample`.


class OpenSeries:
    """The samples of one key that are not merged into its series yet, oldest first.

    *begun* is whether there were any since the last cut; *amendable* samples stay here until then.
    """

    __slots__ = ("amendable", "begun", "key", "rows")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.rows: list[Row] = []
        self.amendable = key.kind == "http"
        self.begun = False

    def __repr__(self) -> str:
        return f"<OpenSeries {self.key.name} of {len(self.rows)}>"


class SessionActivity:
    """What a session does now: its user, the number of its visit, the series name of its step.

    *step_began* is the clock reading at which its outermost step began, in seconds. *newest* is the `TimedBlock` that
    was opened last of those still open, None without any.
    """

    __slots__ = ("newest", "step", "step_began", "user", "visit")

    def __init__(self, user: int = 0) -> None:
        self.user = user
        self.visit = 0
        self.step = ""
        self.step_began = 0.0
        self.newest: Any = None

    def __repr__(self) -> str:
        return f"<SessionActivity of user {self.user} in visit {self.visit}>"


class ResponseCounts:
    """Counts the HTTP responses of a second by the hundred of their status."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = [0] * len(RESPONSES)

    def count(self, status: int) -> None:
        """Count one response; what is no status of HTTP is left out."""
        hundred = status // 100
        if 0 < hundred < len(RESPONSES):
            self._counts[hundred] += 1

    def cut(self) -> dict[str, float]:
        """Return the counts that are not 0 by name, and begin at 0 again."""
        counts, self._counts = self._counts, [0] * len(RESPONSES)
        return {RESPONSES[hundred]: float(number) for hundred, number in enumerate(counts) if number}
