"""What a search for capacity found: the rates that were tried, the highest that held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chaperon.report.format import number_text, time_text
from chaperon.report.redaction.redaction import redacted_line
from chaperon.report.report import Report, Verdict
from chaperon.report.rows import Row

SCHEMA = "chaperon-capacity/1"
WIDE = 40
_WHY = {
    "limit": "above it a limit broke",
    "top": "nothing broke up to the highest rate that was asked for",
    "generator": "above it the generator was spent, not the target: the target may take more",
    "bottom": "a limit broke at the lowest rate that was asked for: begin lower",
    "ended": "somebody ended the search",
    "unsteady": "no rate held twice: give each more time, or allow the limits some room",
}


@dataclass(frozen=True, slots=True)
class Probe:
    """One rate that was tried, for *length* seconds after it had settled, with the report of it."""

    rate: float
    outcome: str
    confirming: bool
    length: float
    report: Report

    @property
    def visits(self) -> Row | None:
        """All visits as one row, None where none was made."""
        rows = [row for row in self.report.rows if row.kind == "visit"]
        return rows[0] if rows else None

    @property
    def p95(self) -> float | None:
        """The p95 of the visits from when they were due, in seconds; the maximum where there were too few.

        Where it falls among censored visits it is the lower bound.
        """
        row = self.visits
        if row is None:
            return None
        population = row.response or row.service
        bounds = population.bounds(0.95) or population.quantile(1.0)
        return None if bounds is None else bounds.lower

    @property
    def reason(self) -> str:
        """Why it did not hold."""
        return self.report.reasons[0] if self.report.reasons else ""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The highest *rate* (visits a second) that held, None if none did; *why* is what stopped the search."""

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
        """PASS where a rate held, FAIL where none did, INVALID where the generator was spent at once."""
        if self.rate is not None:
            return Verdict.PASS
        if self.why == "ended":
            return Verdict.ABORTED
        return Verdict.INVALID if self.why == "generator" else Verdict.FAIL

    def lines(self) -> list[str]:
        """Return the knee as a small curve: a line for each rate, as long as its p95."""
        rows = sorted(self.probes, key=lambda probe: (probe.rate, probe.confirming))
        top = max((probe.p95 or 0.0 for probe in rows), default=0.0)
        return [_line(probe, top) for probe in rows]

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values; times in seconds."""
        return {
            "schema": SCHEMA,
            "rate": self.rate,
            "why": self.why,
            "said": self.said,
            "probes": [_plain(probe) for probe in self.probes],
        }


def columns() -> str:
    """Return the heading of the curve's lines."""
    return f"{'visits/s':>10} {'p95':>8} {'errors':>8}"


def _line(probe: Probe, top: float) -> str:
    p95 = probe.p95
    long = 0 if not p95 or not top else max(round(p95 / top * WIDE), 1)
    errors = sum(error.count for error in probe.report.errors)
    said = (
        "held" + (", confirmed" if probe.confirming else "") if probe.outcome == "held" else redacted_line(probe.reason)
    )
    return f"{number_text(probe.rate):>10} {time_text(p95):>8} {errors:>8,}  {'█' * long:<{WIDE}}  {said}"


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
