"""One fact: what was measured, when, with which outcome."""

from __future__ import annotations

from typing import NamedTuple

from chaperon.measure.plain_text import LABEL, NAME, WORDS, encodable

STEADY = "steady"
WARM_UP = "warm-up"
"""The phase that counts to no headline, no limit."""
REQUEST_KINDS_NOT = frozenset({"step", "call", "task", "visit", "check", "trip", "value", "count", "gauge"})


class Key(NamedTuple):
    """What a sample is a sample of.

    *kind* is "http", "ws", "step", "call", "task", "visit", "check", "trip", "value", "count",
    "gauge", or the user's own. *tags* are sorted (name, value) pairs.
    """

    scenario: str
    name: str
    kind: str = "http"
    phase: str = STEADY
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def is_request(self) -> bool:
        """Whether the series counts among the requests: traffic, not bookkeeping."""
        return self.kind not in REQUEST_KINDS_NOT

    def plain(self) -> Key:
        """Return the key with every text of it encodable and of bounded length."""
        return Key(
            encodable(self.scenario, NAME),
            encodable(self.name, NAME),
            encodable(self.kind, LABEL),
            encodable(self.phase, LABEL),
            tuple([(encodable(name, LABEL), encodable(value, LABEL)) for name, value in self.tags]),
        )


class Failure(NamedTuple):
    """Why a sample is bad.

    *error* is the class it is counted under; *listed* is false where an inner series has
    named the same exception already. *censored*: it did not end by itself but was cut (by a
    time limit, or by the end of the run), so it took at least as long as was measured.
    *begun* is false for a visit that was due and never began: only the response time since
    it was due is known, and it is not counted among the samples.
    """

    error: str
    message: str = ""
    listed: bool = True
    censored: bool = False
    begun: bool = True

    def plain(self) -> Failure:
        """Return the failure with every text of it encodable and of bounded length."""
        error, message = encodable(self.error, LABEL), encodable(self.message, WORDS)
        return self if error is self.error and message is self.message else self._replace(error=error, message=message)


NEVER_BEGUN = Failure("never begun", listed=False, censored=True, begun=False)
"""The failure of a visit that was due and never began."""


class Sample(NamedTuple):
    """One measurement; moments are seconds of one monotonic clock, *bytes* came in.

    *due* is None where nothing said when it should have started. *value* is None for
    durations; counts, gauges and custom values carry theirs.
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
        """The service time in seconds, or the value that was recorded."""
        return self.end - self.start if self.value is None else self.value


Row = tuple[Key, float, float, Failure | None, int, float | None, float | None]
"""The fields of a sample as a bare tuple: a quarter of the price where there are many."""
