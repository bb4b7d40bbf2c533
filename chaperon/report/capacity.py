"""The result of a capacity search: the probed rates and the highest rate that held."""

from __future__ import annotations

from typing import Any

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.report.format import number_text, time_text
from chaperon.report.redaction.redaction import redacted_line
from chaperon.report.report import Report, Verdict
from chaperon.report.rows import Row

SCHEMA = "chaperon-capacity/1"
WIDE = 40
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

    def lines(self) -> list[str]:
        """Return a bar chart in text: one line per probe, sorted by rate, its bar as long as its p95."""
        rows = sorted(self.probes, key=lambda probe: (probe.rate, probe.confirming))
        top = max((probe.p95 or 0.0 for probe in rows), default=0.0)
        return [_line(probe, top) for probe in rows]

    def as_dict(self) -> dict[str, Any]:
        """Return the result as values that JSON can represent; times in seconds."""
        return {
            "schema": SCHEMA,
            "rate": self.rate,
            "why": self.why,
            "said": self.said,
            "probes": [_plain(probe) for probe in self.probes],
        }


def heading() -> str:
    """Return the heading of the columns in `Capacity.lines`."""
    return f"{'visits/s':>10} {'p95':>8} {'errors':>8}"


def _line(probe: Probe, top: float) -> str:
    p95 = probe.p95
    length = 0 if not p95 or not top else max(round(p95 / top * WIDE), 1)
    errors = sum(error.count for error in probe.report.errors)
    outcome = (
        "held" + (", confirmed" if probe.confirming else "") if probe.outcome == "held" else redacted_line(probe.reason)
    )
    return f"{number_text(probe.rate):>10} {time_text(p95):>8} {errors:>8,}  {'█' * length:<{WIDE}}  {outcome}"


def _plain(probe: Probe) -> dict[str, Any]:
    return {
        "rate": probe.rate,
        "outcome": probe.outcome,
        "confirming": probe.confirming,
        "length": probe.length,
        "p95": probe.p95,
        "errors": sum(error.count for error in probe.report.errors),
        "verdict": probe.report.verdict.value,
        "reasons": [redacted_line(reason) for reason in probe.report.reasons],
    }
