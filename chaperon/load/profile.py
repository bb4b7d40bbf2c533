"""How much load, what shape, how long: plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from chaperon.clock import seconds
from chaperon.errors import PlanError


@dataclass(frozen=True, slots=True)
class Between:
    """A span drawn evenly from *low* to *high* seconds, each time anew."""

    low: float
    high: float

    def draw(self, chance: Random) -> float:
        """Return one span in seconds."""
        return self.low if self.low == self.high else chance.uniform(self.low, self.high)


def between(low: float | str, high: float | str) -> Between:
    """Return a random think time between two spans; raises PlanError if they are the wrong way round."""
    span = Between(seconds(low), seconds(high))
    if span.low > span.high:
        raise PlanError(f"between({low!r}, {high!r}) is the wrong way round: put the smaller span first")
    return span


Think = float | str | Between


def thinking(think: Think | None) -> Between | None:
    """Read a think time: a span, or what `between` returns."""
    if think is None or isinstance(think, Between):
        return think
    span = seconds(think)
    return Between(span, span)


@dataclass(frozen=True, slots=True)
class Users:
    """A closed load: so many users, each making visit after visit."""

    n: int
    ramp: float = 0.0
    hold: float | None = None
    think: Between | None = None

    @property
    def until(self) -> float | None:
        """The offset from which no visit starts, or None where each user makes one visit."""
        return None if self.hold is None else self.ramp + self.hold

    def __str__(self) -> str:
        return f"{self.n:,} user{'s' if self.n != 1 else ''}"


@dataclass(frozen=True, slots=True)
class Rate:
    """An open load: *n* visits become due every *per* seconds, whatever the target does."""

    n: float
    hold: float
    per: float = 1.0
    ramp: float = 0.0
    fresh: bool = False

    @property
    def until(self) -> float:
        """The offset from which no visit is due."""
        return self.ramp + self.hold

    def __str__(self) -> str:
        return f"{self.n / self.per:g}/s"


@dataclass(frozen=True, slots=True)
class Iterations:
    """A closed load of *n* visits in all, taken first come, first served by its users."""

    n: int
    users: int = 1
    ramp: float = 0.0
    hold: float | None = None
    think: Between | None = None

    @property
    def until(self) -> float | None:
        """The offset from which no visit starts: the rest is dropped."""
        return None if self.hold is None else self.ramp + self.hold

    def __str__(self) -> str:
        return f"{self.n:,} iterations by {self.users:,} user{'s' if self.users != 1 else ''}"


Load = Users | Rate | Iterations


def users(
    n: int,
    *,
    ramp: float | str = 0.0,
    hold: float | str | None = None,
    think: Think | None = None,
) -> Users:
    """Return a closed load of *n* users, started evenly over *ramp*, going on for *hold* after it.

    Without *hold* each user makes one visit. *think* passes after each visit. Spans are
    seconds, or text such as "30s". Raises PlanError.
    """
    return Users(_whole("users", n), _span("ramp", ramp), _hold(hold), thinking(think))


def rate(
    n: float,
    *,
    per: float | str = 1.0,
    ramp: float | str = 0.0,
    hold: float | str | None = None,
    fresh: bool = False,
) -> Rate:
    """Return an open load: *n* visits due every *per*, rising from nothing over *ramp*, then for *hold*.

    With *fresh* every arrival is a session of its own; else it takes an idle one. Raises
    PlanError, also where *hold* is missing: an open load has no end of its own.
    """
    if hold is None:
        raise PlanError("a rate needs an end: say how long with hold= (--hold on the command line)")
    if isinstance(n, bool) or not isinstance(n, (int, float)) or not 0 < n < math.inf:
        raise PlanError(f"rate must be positive, got {n!r} visits")
    each = 1.0 if per in ("s", "second") else 60.0 if per in ("m", "min", "minute") else _span("per", per)
    if each <= 0:
        raise PlanError(f"per= must be longer than nothing, got {per!r}")
    return Rate(n, _span("hold", hold), each, _span("ramp", ramp), fresh)


def iterations(
    n: int,
    *,
    users: int = 1,
    ramp: float | str = 0.0,
    hold: float | str | None = None,
    think: Think | None = None,
) -> Iterations:
    """Return a load of *n* visits shared by *users*; what *hold* leaves undone is dropped. Raises PlanError."""
    crowd = _whole("users", users)
    return Iterations(_whole("iterations", n), crowd, _span("ramp", ramp), _hold(hold), thinking(think))


def _whole(what: str, n: int) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise PlanError(f"{what} must be a whole number of at least 1, got {n!r}")
    return n


def _span(what: str, span: float | str) -> float:
    try:
        return seconds(span)
    except PlanError as exc:
        raise PlanError(f"{what}: {exc}") from None


def _hold(hold: float | str | None) -> float | None:
    return None if hold is None else _span("hold", hold)
