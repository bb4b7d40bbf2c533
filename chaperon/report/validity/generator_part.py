"""The generator's own part of a percentile: how much of it may be our lateness, not the target's time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chaperon.measure.sample import WARM_UP, Key
from chaperon.measure.series import Series
from chaperon.measure.sketch import Sketch

MARKED = 0.1
"""From which share of a figure on the generator's own part is marked."""
INVALIDATING = 0.5
"""From which share on a limit that hangs on the figure makes the run INVALID."""
EXCESS = 0.001
"""By how many seconds the part has to exceed what a healthy event loop shows, to spoil a limit."""
VISIBLE = 0.00075
"""From how many seconds on the part is marked: with what a healthy loop adds, a figure is off by a millisecond."""
SHARES = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Shares of the samples of which it is asked whether their lateness alone has moved a percentile."""
_STEPS = frozenset({"step", "call", "task"})


@dataclass(frozen=True, slots=True)
class GeneratorPart:
    """What a run knows of its own lateness; times in seconds.

    *late* is by how much visits started after they were due, *lag* for how long responses
    waited for the event loop; *healthy* is the lag of a loop that sends nothing. *waits* is,
    by scenario, how many requests a visit and a step had on average.
    """

    late: Sketch
    lag: Sketch
    healthy: float = 0.0
    waits: Mapping[tuple[str, str], float] | None = None

    @classmethod
    def of(
        cls, generator: Mapping[str, Series], series: Mapping[Key, Series], healths: Sequence[Mapping[str, float]]
    ) -> GeneratorPart:
        """Return it from the merged sketches of a run, its series, and what each worker saw of itself."""
        late, lag = (generator[name].good if name in generator else Sketch() for name in ("late", "lag"))
        healthy = max((health.get("healthy_lag", 0.0) for health in healths), default=0.0)
        return cls(late, lag, healthy, _waits(series))

    def service(self, q: float, scenario: str = "", kind: str = "http") -> float | None:
        """Return how much of the quantile *q* of a service time may be the generator's own, None where unknown.

        The quantile of a sum of two times exceeds that of the first by at most the same
        quantile of the second where both are large together, by about its mean where they
        are independent and the first spreads wider; so the greater of the two is taken. A visit of n
        requests waits n times: n means, and the spread of independent waits (by the square root of n).
        """
        if not self.lag:
            return None
        mean = self.lag.mean or 0.0
        beyond = max((self.lag.quantile(q) or 0.0) - mean, 0.0)
        n = self._waited(scenario, kind)
        return n * mean + math.sqrt(n) * beyond

    def response(self, q: float, scenario: str = "", kind: str = "visit") -> float | None:
        """Return the same for a time that counts from when the visit was due: its late start comes on top."""
        if not self.late:
            return None
        late = max(self.late.quantile(q) or 0.0, self.late.mean or 0.0)
        return late + (self.service(q, scenario, kind) or 0.0)

    def invalidates(self, value: float | None, part: float | None, share: float = INVALIDATING) -> bool:
        """Whether *part* is at least a *share* of a figure, and a millisecond more than a healthy event loop has."""
        if value is None or part is None:
            return False
        return min(part, value) >= max(share * value, self.healthy + EXCESS)

    def _waited(self, scenario: str, kind: str) -> float:
        known = self.waits or {}
        key = "visit" if kind == "visit" else "step" if kind in _STEPS else ""
        return max(known.get((scenario, key), 1.0), 1.0)


def percentile_shift(times: Callable[[float], float], part: Callable[[float], float | None], q: float) -> float | None:
    """Return how much of the quantile *q* of *times* may be the generator's own, None where unknown.

    At least *part* of q. Where values lie far apart, a few late samples move a percentile by more than most were
    late: of times X and lateness L, P(X <= x) <= P(X + L <= x + l) + P(L > l), so that for any share e the quantile
    of X is at least that of X + L at q - e, less the quantile of L at 1 - e (the union bound).
    """
    own = part(q)
    if own is None:
        return None
    value = times(q)
    bounds = [value - times(q - e) + (part(1.0 - e) or 0.0) for e in SHARES if e < q]
    return max(own, min(bounds, default=0.0))


def is_marked(value: float | None, part: float | None) -> bool:
    """Return whether *part* is at least a tenth of a figure, and enough to make it wrong by about a millisecond.

    Of a figure no more than itself can be the generator's own, so that a shorter one is never marked.
    """
    return value is not None and part is not None and min(part, value) >= max(MARKED * value, VISIBLE)


def _waits(series: Mapping[Key, Series]) -> dict[tuple[str, str], float]:
    """Return, by scenario, how many requests came on each visit, and on each step."""
    counts: dict[tuple[str, str], int] = {}
    for key, each in series.items():
        if key.phase != WARM_UP:
            what = "request" if key.is_request else key.kind
            counts[key.scenario, what] = counts.get((key.scenario, what), 0) + each.count
    found = {}
    for (scenario, what), number in counts.items():
        if what in ("visit", "step") and number:
            found[scenario, what] = counts.get((scenario, "request"), 0) / number
    return found
