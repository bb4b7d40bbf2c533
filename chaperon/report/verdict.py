"""What the run comes to: the limits judged, the ledger checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chaperon._version import VERSION
from chaperon.measure.plain_text import NAME, encodable
from chaperon.measure.sample import WARM_UP
from chaperon.report.format import AT_LEAST
from chaperon.report.report import LimitResult, Report, Verdict, error_rows
from chaperon.report.rows import rows_of
from chaperon.report.totals import Totals
from chaperon.report.validity.falsified import lateness_warning
from chaperon.report.validity.generator_part import GeneratorPart


@dataclass(frozen=True, slots=True)
class RunInfo:
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


def conclude(
    totals: Totals, limits: Sequence[LimitResult], info: RunInfo, ending: Ending, own: GeneratorPart | None = None
) -> Report:
    """Return the report: INVALID before FAIL before ABORTED before PASS. *own* is the generator's part of its times."""
    verdict, reasons = _judge(totals, limits, ending)
    rows = rows_of(totals.series, info.duration, totals.phases, totals.due)
    falsified = lateness_warning(rows, own) if own is not None else None
    return Report(
        verdict=verdict,
        reasons=tuple(reasons),
        started=info.started,
        duration=info.duration,
        environment=encodable(info.environment, NAME),
        chaperon=VERSION,
        seed=info.seed,
        rows=rows,
        errors=error_rows(totals.errors),
        ledger=dict(sorted(totals.ledger.items())),
        limits=tuple(limits),
        seconds=tuple(totals.seconds),
        workers=tuple(totals.workers),
        notes=dict(sorted(totals.notes.items())),
        finished=ending.finished,
        warnings=(
            *ending.warnings,
            *(censored_warnings(totals) if ending.finished else ()),
            *_lost_warnings(totals, ending),
            *([] if falsified is None else [falsified]),
        ),
        aborted=ending.aborted,
        series=totals.series,
        phases=totals.phases,
        due=totals.due,
        happenings=tuple(totals.happenings),
        own=own,
    )


CENSORED = 0.01
"""The share of all requests, or of all visits, that may be censored without a warning."""


def censored_warnings(totals: Totals) -> list[str]:
    """Return what has to be said where more than 1 % of the requests, or of the visits, never came to an end.

    Warm-up is left out. Each is said whether or not a limit is about it.
    """
    found = []
    counted = [(key, series) for key, series in totals.series.items() if key.phase != WARM_UP]
    for what, kept in (
        ("requests", [series for key, series in counted if key.is_request]),
        ("visits", [series for key, series in counted if key.kind == "visit"]),
    ):
        cut = sum(s.censored.count for s in kept)
        waited = sum(max(s.response_censored.count - s.censored.count, 0) for s in kept)
        total = sum(s.count for s in kept) + waited
        if total and cut + waited > CENSORED * total:
            ways = [f"{n:,} {how}" for n, how in ((cut, "timed out or interrupted"), (waited, "never begun")) if n]
            found.append(
                f"{cut + waited:,} of {total:,} {what} ({(cut + waited) / total:.1%}) did not come to an end"
                f" ({', '.join(ways)}): percentiles that fall among them are lower bounds, marked {AT_LEAST}"
            )
    return found


def _lost_warnings(totals: Totals, ending: Ending) -> list[str]:
    """Return a warning for visits that were lost, unless a fault speaks of them: a few leave the verdict as it is."""
    lost = sum(counts.lost for counts in totals.ledger.values())
    if not lost or any("lost" in fault for fault in ending.faults):
        return []
    planned = sum(counts.planned for counts in totals.ledger.values())
    who = ", ".join(worker.name for worker in totals.workers if worker.losses)
    return [f"{lost:,} of {planned:,} visits were lost{f' with {who}' if who else ''}: what became of them is unknown"]


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
