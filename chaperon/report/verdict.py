"""What the run comes to: the limits judged, the ledger checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chaperon._version import VERSION
from chaperon.measure.plain_text import NAME, encodable
from chaperon.report.collector import Totals
from chaperon.report.summary import LimitResult, Report, Verdict, error_rows, rows_of


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report says of the run besides what was measured; *duration* in seconds."""

    environment: str
    seed: int
    started: str
    duration: float


@dataclass(frozen=True, slots=True)
class Ending:
    """How the run ended: *aborted* and *failed* say why, *faults* are our own, *warnings* less than that."""

    aborted: str | None = None
    failed: str | None = None
    faults: tuple[str, ...] = ()
    finished: bool = True
    warnings: tuple[str, ...] = ()


def conclude(totals: Totals, limits: Sequence[LimitResult], facts: Facts, ending: Ending) -> Report:
    """Return the report: INVALID before FAIL before ABORTED before PASS."""
    verdict, reasons = _judge(totals, limits, ending)
    return Report(
        verdict=verdict,
        reasons=tuple(reasons),
        started=facts.started,
        duration=facts.duration,
        environment=encodable(facts.environment, NAME),
        chaperon=VERSION,
        seed=facts.seed,
        rows=rows_of(totals.series, facts.duration, totals.phases),
        errors=error_rows(totals.errors),
        ledger=dict(sorted(totals.ledger.items())),
        limits=tuple(limits),
        seconds=tuple(totals.seconds),
        workers=tuple(totals.workers),
        notes=dict(sorted(totals.notes.items())),
        finished=ending.finished,
        warnings=ending.warnings,
        aborted=ending.aborted,
        series=totals.series,
        phases=totals.phases,
        happenings=tuple(totals.happenings),
    )


def _judge(totals: Totals, limits: Sequence[LimitResult], ending: Ending) -> tuple[Verdict, list[str]]:
    invalid = list(ending.faults)
    failed = [_broken(limit) for limit in limits if not limit.held]
    if ending.failed:
        failed.append(ending.failed)
    if ending.finished:
        for label, counts in totals.ledger.items():
            if not counts.balanced:
                invalid.append(f"the ledger of {label} does not balance: {counts.planned - counts.ended:+d} visits")
        if not any(counts.done for counts in totals.ledger.values()):
            failed.append("no visit was done")
    reasons = invalid + failed + ([ending.aborted] if ending.aborted else [])
    for verdict, why in (
        (Verdict.INVALID, invalid),
        (Verdict.FAIL, failed),
        (Verdict.ABORTED, [ending.aborted] if ending.aborted else []),
    ):
        if why:
            return verdict, reasons
    return Verdict.PASS, reasons


def _broken(limit: LimitResult) -> str:
    when = "" if limit.at is None else f" at {limit.at} s"
    note = f" ({limit.note})" if limit.note else ""
    return f"limit broke{when}: {limit.limit}, but was {limit.shown}{note}"
