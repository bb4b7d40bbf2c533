"""The generator's part of a percentile: an estimate of how much of it is delay of the generator, not of the target."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.sample import WARM_UP, Key
from chaperon.measure.series import Series
from chaperon.measure.sketch import Sketch

MARKED = 0.1
"""Smallest share of a figure that the generator's part must have for the figure to be marked."""
INVALIDATING = 0.5
"""Smallest share of a figure that the generator's part must have for a limit on the figure to make the run INVALID."""
EXCESS = 0.001
"""Seconds by which the generator's part must exceed the delay of a healthy event loop to invalidate a limit."""
VISIBLE = 0.00075
"""Smallest generator's part, in seconds, that is marked: together with a healthy loop's delay it makes 1 ms."""
SHARES = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""The values of e for which `percentile_shift` evaluates its bound."""
_STEPS = frozenset({"step", "call", "task"})


@lazy_dataclass(frozen=True, slots=True)
class GeneratorPart:
    """The delays that the generator added to measured times, in seconds.

    *late*: by how much visits started after they were due. *lag*: how long responses waited for the
    event loop. *healthy*: the lag of an idle loop. *waits*: the mean number of requests of a visit
    and of a step, by (scenario, kind).
    """

    late: Sketch
    lag: Sketch
    healthy: float = 0.0
    waits: Mapping[tuple[str, str], float] | None = None

    @classmethod
    def of(
        cls, generator: Mapping[str, Series], series: Mapping[Key, Series], healths: Sequence[Mapping[str, float]]
    ) -> GeneratorPart:
        """Return the generator's part of a run from its merged delays, its series, and the health of each worker."""
        late, lag = (generator[name].good if name in generator else Sketch() for name in ("late", "lag"))
        healthy = max((health.get("healthy_lag", 0.0) for health in healths), default=0.0)
        return cls(late, lag, healthy, _waits(series))

    def service(self, q: float, scenario: str = "", kind: str = "http") -> float | None:
        """Return the part of quantile *q* of a service time that may be delay, in seconds; None if unknown.

        A delay raises the quantile of a time by at most the delay's own quantile if both are large
        together, and by about its mean if they are independent and the time spreads wider. The
        greater of the two is used. A visit of n requests waits n times: n means, and the spread of
        n independent waits, which grows with the square root of n.
        """
        if not self.lag:
            return None
        mean = self.lag.mean or 0.0
        beyond = max((self.lag.quantile(q) or 0.0) - mean, 0.0)
        n = self._requests_each(scenario, kind)
        return n * mean + math.sqrt(n) * beyond

    def response(self, q: float, scenario: str = "", kind: str = "visit") -> float | None:
        """Return the same for a response time, which also contains the lateness of the visit's start."""
        if not self.late:
            return None
        late = max(self.late.quantile(q) or 0.0, self.late.mean or 0.0)
        return late + (self.service(q, scenario, kind) or 0.0)

    def invalidates(self, value: float | None, part: float | None, share: float = INVALIDATING) -> bool:
        """Return whether *part* is at least *share* of a figure, and exceeds a healthy event loop's lag by 1 ms."""
        if value is None or part is None:
            return False
        return min(part, value) >= max(share * value, self.healthy + EXCESS)

    def _requests_each(self, scenario: str, kind: str) -> float:
        known = self.waits or {}
        key = "visit" if kind == "visit" else "step" if kind in _STEPS else ""
        return max(known.get((scenario, key), 1.0), 1.0)


def percentile_shift(times: Callable[[float], float], part: Callable[[float], float | None], q: float) -> float | None:
    """Return the part of quantile *q* of *times* that may be delay, in seconds; None if *part* is unknown.

    At least *part* (q). If values lie far apart, a few late samples shift a percentile by more than
    most of them were late. With times X and lateness L, P(X <= x) <= P(X + L <= x + l) + P(L > l)
    (union bound). So for any share e the quantile of X at q is at least that of X + L at q - e,
    minus the quantile of L at 1 - e.
    """
    own = part(q)
    if own is None:
        return None
    value = times(q)
    bounds = [value - times(q - e) + (part(1.0 - e) or 0.0) for e in SHARES if e < q]
    return max(own, min(bounds, default=0.0))


def is_marked(value: float | None, part: float | None) -> bool:
    """Return whether *part* is at least a tenth of a figure and at least `VISIBLE`.

    At most the figure itself counts, so a figure below `VISIBLE` is never marked.
    """
    return value is not None and part is not None and min(part, value) >= max(MARKED * value, VISIBLE)


def _waits(series: Mapping[Key, Series]) -> dict[tuple[str, str], float]:
    """Return the mean number of requests per visit and per step, by (scenario, "visit" or "step")."""
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
