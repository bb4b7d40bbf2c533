"""The result of a capacity search: the probed rates and the highest rate that held."""

from __future__ import annotations

import math
from typing import Any

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.report.format import number_text, time_text
from chaperon.report.limits.limit_parser import parse
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.redaction.redaction import redacted_line
from chaperon.report.report import Report, Verdict
from chaperon.report.rows import Row

SCHEMA = "chaperon-capacity/1"
VISITS = "p95 of visits"
"""The heading of `Probe.p95`, which stands where no limit on a time has a value."""
_CHART = 38
"""Characters of a figure with its bar, which together with the outcome fit a terminal of 80 columns."""
_SHORTEST = 10
"""Characters of the longest bar beside a limit with a long text."""
_WHY = {
    "limit": "above it a limit broke",
    "top": "no limit broke up to the highest rate requested",
    "generator": "above it the generator was saturated, not the target: the target may sustain more",
    "bottom": "a limit broke at the lowest rate requested: start lower",
    "ended": "the search was stopped early",
    "unsteady": "no rate held twice: use longer probes or less strict limits",
}


@lazy_dataclass(frozen=True, slots=True)
class Probe:
    """One probe: a rate, and the report of the *length* seconds for which it was measured.

    *outcome* is "held", "broke" (a limit) or "spent" (the generator was saturated). *confirming* probes repeat a
    rate that held.
    """

    rate: float
    outcome: str
    confirming: bool
    length: float
    report: Report

    @property
    def visits(self) -> Row | None:
        """The visits of the probe as one row, None without any."""
        rows = [row for row in self.report.rows if row.kind == "visit"]
        return rows[0] if rows else None

    @property
    def p95(self) -> float | None:
        """The p95 of the response times of visits, in seconds; the maximum if there are too few visits for it.

        The lower bound if it lies among censored visits, None without visits.
        """
        row = self.visits
        if row is None:
            return None
        population = row.response or row.service
        bounds = population.bounds(0.95) or population.quantile(1.0)
        return None if bounds is None else bounds.lower

    @property
    def worst(self) -> LimitResult | None:
        """The limit on a time whose value is closest to its bound, or furthest beyond it; None without such a value."""
        timed = [each for each in self.report.limits if strain(each) is not None]
        return max(timed, key=lambda each: strain(each) or 0.0, default=None)

    @property
    def figure(self) -> str:
        """The value that `worst` is evaluated on, behind the text of the limit, or the p95 of visits."""
        worst = self.worst
        if worst is None:
            return f"{VISITS} {time_text(self.p95)}"
        return f"{redacted_line(worst.limit)}: {worst.shown}"

    @property
    def reason(self) -> str:
        """Why the rate did not hold, or ""."""
        return self.report.reasons[0] if self.report.reasons else ""


@lazy_dataclass(frozen=True, slots=True)
class Capacity:
    """The highest *rate* that held, in visits per second, None if none did; *why* is the reason the search ended.

    *why* is "limit", "top", "generator", "bottom", "ended" or "unsteady".
    """

    rate: float | None
    why: str
    probes: tuple[Probe, ...]

    def __repr__(self) -> str:
        return f"<Capacity {self.rate}/s: {self.why}>"

    @property
    def said(self) -> str:
        """The result in a sentence."""
        if self.rate is None:
            return f"no rate was found: {_WHY[self.why]}"
        return f"highest rate that held: {number_text(self.rate)}/s; {_WHY[self.why]}"

    @property
    def verdict(self) -> Verdict:
        """PASS if a rate held. Otherwise ABORTED if the search was stopped, INVALID if the generator was saturated
        at the lowest rate, else FAIL.
        """
        if self.rate is not None:
            return Verdict.PASS
        if self.why == "ended":
            return Verdict.ABORTED
        return Verdict.INVALID if self.why == "generator" else Verdict.FAIL

    @property
    def limit(self) -> str | None:
        """The text of the limit on a time that came closest to its bound, or went furthest beyond it, in any probe.

        None without such a limit.
        """
        worst = [found for probe in self.probes if (found := probe.worst) is not None]
        return max(worst, key=lambda each: strain(each) or 0.0).limit if worst else None

    def lines(self) -> list[str]:
        """Return a bar chart in text: its headings, then one line per probe, sorted by rate; nothing without a probe.

        A bar is as long as the value of `limit`, or as the p95 of visits if that is None.
        """
        if not self.probes:
            return []
        rows = sorted(self.probes, key=lambda probe: (probe.rate, probe.confirming))
        limit = self.limit
        heading = VISITS if limit is None else redacted_line(limit)
        figures = [_figure(probe, limit) for probe in rows]
        width = max(len(heading), *(len(shown) for _, shown in figures))
        longest, top = max(_CHART - width, _SHORTEST), max(value or 0.0 for value, _ in figures)
        lines = [f"{'visits/s':>10} {heading:>{width}} {'errors':>8}"]
        for probe, (value, shown) in zip(rows, figures, strict=True):
            length = 0 if not value or not top else max(round(value / top * longest), 1)
            errors = f"{_errors(probe):>8,}"
            bar = f"{'█' * length:<{longest}}"
            lines.append(f"{number_text(probe.rate):>10} {shown:>{width}} {errors}  {bar}  {_outcome(probe)}")
        return lines

    @property
    def reason(self) -> str:
        """Why the lowest rate that did not hold did not, with that rate; "" if all held."""
        others = [probe for probe in self.probes if probe.outcome != "held"]
        lowest = min(others, key=lambda probe: probe.rate, default=None)
        return "" if lowest is None else f"{number_text(lowest.rate)}/s: {redacted_line(lowest.reason)}"

    def as_dict(self) -> dict[str, Any]:
        """Return the result as values that JSON can represent; times in seconds."""
        return {
            "schema": SCHEMA,
            "rate": self.rate,
            "why": self.why,
            "said": self.said,
            "probes": [_plain(probe) for probe in self.probes],
        }


def strain(result: LimitResult) -> float | None:
    """Return the value of a limit on a time as a multiple of its bound: above 1 it broke. None for other limits.

    A limit that a value must exceed has the reciprocal. None without a value as well.
    """
    value, limit = _value(result), parse(result.limit)
    if value is None or not limit.is_timed:
        return None
    parts = (limit.value, value) if limit.op in (">", ">=") else (value, limit.value)
    return parts[0] / parts[1] if parts[1] > 0.0 else math.inf


def _value(result: LimitResult) -> float | None:
    """Return the value of a limit, or its lower bound where it lies among censored samples."""
    return result.at_least if result.value is None else result.value


def _figure(probe: Probe, limit: str | None) -> tuple[float | None, str]:
    """Return the value of the limit with this text, or the p95 of visits, with its text."""
    if limit is None:
        return probe.p95, time_text(probe.p95)
    result = next((each for each in probe.report.limits if each.limit == limit), None)
    return (None, "–") if result is None else (_value(result), result.shown)


def _outcome(probe: Probe) -> str:
    if probe.outcome == "held" and probe.confirming:
        return "held, confirmed"
    return "saturated" if probe.outcome == "spent" else probe.outcome


def _errors(probe: Probe) -> int:
    return sum(error.count for error in probe.report.errors)


def _plain(probe: Probe) -> dict[str, Any]:
    return {
        "rate": probe.rate,
        "outcome": probe.outcome,
        "confirming": probe.confirming,
        "length": probe.length,
        "p95": probe.p95,
        "errors": _errors(probe),
        "limit": None if probe.worst is None else redacted_line(probe.worst.limit),
        "limits": [_plain_limit(each) for each in probe.report.limits],
        "verdict": probe.report.verdict.value,
        "reasons": [redacted_line(reason) for reason in probe.report.reasons],
    }


def _plain_limit(result: LimitResult) -> dict[str, Any]:
    return {
        "limit": redacted_line(result.limit),
        "held": result.held,
        "value": result.value,
        "at_least": result.at_least,
        "unit": result.unit,
    }
