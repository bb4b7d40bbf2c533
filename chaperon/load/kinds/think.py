"""Think times: fixed spans, or spans drawn evenly between two bounds."""

from __future__ import annotations

from random import Random
from typing import Protocol

from chaperon.clock import WAIT, seconds
from chaperon.errors import PlanError
from chaperon.lazy_dataclass import lazy_dataclass


class HasRandom(Protocol):
    """An object with a source of random numbers, such as a session."""

    @property
    def random(self) -> Random:
        """The source, which may be made on first use."""


@lazy_dataclass(frozen=True, slots=True)
class Between:
    """A span that is drawn evenly from *low* to *high* seconds each time it is used."""

    low: float
    high: float

    def draw(self, chance: Random) -> float:
        """Return one span in seconds."""
        return self.low if self.low == self.high else chance.uniform(self.low, self.high)

    def draw_for(self, user: HasRandom) -> float:
        """Return one span in seconds. Only a random one makes the source of *user*: it takes 2.5 kB."""
        return self.low if self.low == self.high else self.draw(user.random)


def between(low: float | str, high: float | str) -> Between:
    """Return a random think time between two spans. Raises PlanError if *low* is longer than *high*."""
    span = Between(seconds(low, most=WAIT), seconds(high, most=WAIT))
    if span.low > span.high:
        raise PlanError(f"between({low!r}, {high!r}) is the wrong way round: put the smaller span first")
    return span


Think = float | str | Between


def thinking(think: Think | None) -> Between | None:
    """Convert a think time as authors write it (seconds, text, `between`) to a span. Raises PlanError."""
    if think is None or isinstance(think, Between):
        return think
    span = seconds(think, most=WAIT)
    return Between(span, span)
