"""The verdict of a run: from its limits, its ledger and the faults of the generator."""

from __future__ import annotations

from collections.abc import Sequence

from chaperon._version import VERSION
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.closing import IN_FLIGHT, OPEN_ENDS
from chaperon.measure.plain_text import NAME, encodable
from chaperon.measure.quantity import count_text, names_text
from chaperon.measure.recorder import UNMEASURED
from chaperon.measure.sample import WARM_UP
from chaperon.report.events.note_text import note_text
from chaperon.report.format import AT_LEAST
from chaperon.report.limits.limit_result import MAXIMUM, LimitResult
from chaperon.report.limits.uncounted import ALL_COUNTED, NO_EFFECT, UncountedErrors
from chaperon.report.report import Report, Verdict, error_rows
from chaperon.report.rows import rows_of
from chaperon.report.totals import Totals
from chaperon.report.validity.falsified import lateness_warning
from chaperon.report.validity.generator_part import GeneratorPart


@lazy_dataclass(frozen=True, slots=True)
class RunInfo:
    """The name, seed, start time (ISO 8601) and *duration* in seconds of a run, for its report.

    *began* is its start on the clock of its samples, in seconds.
    """

    environment: str
    seed: int
    started: str
    duration: float
    began: float = 0.0


@lazy_dataclass(frozen=True, slots=True)
class Ending:
    """How the run ended.

    *aborted*: why it was stopped early. *failed*: a reason for FAIL besides limits. *faults*: reasons
    for INVALID. *warnings*: sentences that do not affect the verdict. *uncounted*: errors that no limit
    speaks of, a reason of a PASS, and with *strict* for FAIL. *finished*: false while it runs.
    *unreached*: why not one connection succeeded. Such a run is FAIL: there is nothing that could be invalid.
    *died*: why none succeeded from some second to the end. Such a run is FAIL before what *generator*, the
    faults of the generator, would make INVALID: a target that refuses connections lets users start visits faster.
    """

    aborted: str | None = None
    failed: str | None = None
    faults: tuple[str, ...] = ()
    finished: bool = True
    warnings: tuple[str, ...] = ()
    unreached: str | None = None
    uncounted: UncountedErrors = ALL_COUNTED
    strict: bool = False
    generator: tuple[str, ...] = ()
    died: str | None = None


def conclude(
    totals: Totals, limits: Sequence[LimitResult], info: RunInfo, ending: Ending, own: GeneratorPart | None = None
) -> Report:
    """Return the report of a run. The verdict is the first that applies of INVALID, FAIL, ABORTED, PASS.

    It is FAIL if not one connection succeeded, or none any more. A run that was stopped before there was any
    data is ABORTED: that no visit was done, or that a limit had no data, makes only a run that was not stopped FAIL.

    *own* estimates the generator's own part of the measured times.
    """
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
        errors=error_rows(totals.errors, totals.exchanges),
        ledger=dict(sorted(totals.ledger.items())),
        limits=tuple(limits),
        seconds=tuple(totals.seconds),
        workers=tuple(totals.workers),
        notes={note: times for note, times in sorted(totals.notes.items()) if not note.startswith(_WARNINGS)},
        finished=ending.finished,
        warnings=(
            *ending.warnings,
            *(censored_warnings(totals) if ending.finished else ()),
            *_lost_warnings(totals, ending),
            *_unmeasured_warnings(totals),
            *([] if falsified is None else [falsified]),
            *([f"{ending.uncounted.numbers}: {NO_EFFECT}"] if ending.uncounted.numbers and not ending.strict else []),
        ),
        aborted=ending.aborted,
        series=totals.series,
        phases=totals.phases,
        due=totals.due,
        happenings=tuple(totals.happenings),
        own=own,
        began=info.began,
    )


_WARNINGS = (UNMEASURED, IN_FLIGHT, *OPEN_ENDS)
"""The beginnings of notes that a report has as warnings."""
CENSORED = 0.01
"""Largest share of all requests, or of all visits, that may be censored without a warning."""


TOO_LARGE = "body too large"
"""The error class of a response that was cut at `max_body`."""

WORKERS_NAMED = 3
"""Lost workers that a text names."""


def censored_warnings(totals: Totals) -> list[str]:
    """Return a warning if more than 1 % of the requests are censored, and one if more than 1 % of the visits are.

    Warm-up is left out. The warnings do not depend on the limits of the run.
    """
    found = []
    counted = [(key, series) for key, series in totals.series.items() if key.phase != WARM_UP]
    lost = any(counts.lost for counts in totals.ledger.values())
    large = any(error == TOO_LARGE for *_, error in totals.errors)
    ways = ["timed out", "interrupted", *([f"ended by {TOO_LARGE!r}"] if large else [])]
    for what, kept, ended in (
        ("requests", [series for key, series in counted if key.is_request], _either(ways)),
        (
            "visits",
            [series for key, series in counted if key.kind == "visit"],
            _either([*ways, *(["lost with a worker"] if lost else [])]),
        ),
    ):
        cut = sum(s.censored.count for s in kept)
        waited = sum(max(s.response_censored.count - s.censored.count, 0) for s in kept)
        total = sum(s.count for s in kept) + waited
        if total and cut + waited > CENSORED * total:
            never = "never begun or lost with a worker" if lost and what == "visits" else "never begun"
            parts = [f"{n:,} {how}" for n, how in ((cut, ended), (waited, never)) if n]
            found.append(
                f"{cut + waited:,} of {total:,} {what} ({(cut + waited) / total:.1%}) did not end"
                f" ({', '.join(parts)}): percentiles that lie among them are lower bounds, marked {AT_LEAST}"
            )
    return found


def _either(words: Sequence[str]) -> str:
    """Return "timed out, interrupted or lost"."""
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _unmeasured_warnings(totals: Totals) -> list[str]:
    """Return a warning for each line of an author that opened connections that no sample includes, and for requests."""
    return [note_text(note, times) for note, times in sorted(totals.notes.items()) if note.startswith(_WARNINGS)]


def _lost_warnings(totals: Totals, ending: Ending) -> list[str]:
    """Return a warning about lost visits, unless a fault names them already. A few do not affect the verdict."""
    *_, text = lost_visits(totals)
    if not text or any("lost" in fault for fault in ending.faults):
        return []
    return [f"{text}: their outcome is unknown"]


def lost_visits(totals: Totals) -> tuple[int, int, str]:
    """Return how many visits were lost, of how many planned ones, and a text on them, which is "" if none was."""
    planned = sum(counts.planned for counts in totals.ledger.values())
    lost = sum(counts.lost for counts in totals.ledger.values())
    if not lost:
        return 0, planned, ""
    # of a worker whose journal was complete, what none made afterwards is lost; of its losses the event alone is there
    given_up = [event.text for _, event in totals.happenings if event.kind == "lost"]
    workers = [
        worker.name
        for worker in totals.workers
        if worker.lost or worker.losses or any(text.startswith(f"{worker.name} lost: ") for text in given_up)
    ]
    whose = names_text(workers, WORKERS_NAMED) if workers else "their workers"
    return lost, planned, f"{lost:,} of {planned:,} visits were lost with {whose}"


def _judge(totals: Totals, limits: Sequence[LimitResult], ending: Ending) -> tuple[Verdict, list[str]]:
    invalid = [*ending.faults, *(() if ending.died else ending.generator)]
    failed = [ending.died] if ending.died else []
    failed += [_broken(limit) for limit in limits if not limit.held and not _is_without_data(limit)]
    without_data = [_broken(limit) for limit in limits if not limit.held and _is_without_data(limit)]
    if ending.failed:
        failed.append(ending.failed)
    if ending.strict and ending.uncounted.numbers:
        failed.append(ending.uncounted.numbers)
    if ending.finished:
        for label, counts in totals.ledger.items():
            if not counts.balanced:
                planned = count_text(counts.planned, "visit")
                invalid.append(f"the ledger of {label} does not balance: {planned} planned, {counts.ended:,} ended")
        if not any(counts.done for counts in totals.ledger.values()):
            empty = sum(counts.no_row for counts in totals.ledger.values())
            tried = empty or any(counts.failed for counts in totals.ledger.values())
            (failed if tried else without_data).append(
                "no visit was done" + (f": {empty:,} found no row left" if empty else "")
            )
    if ending.died:
        failed += ending.generator
    if ending.aborted and not failed and not invalid and ending.unreached is None:
        return Verdict.ABORTED, [ending.aborted, *without_data]
    failed += without_data
    if ending.unreached is not None:
        failed = [ending.unreached, *failed, *invalid]
        invalid = []
    reasons = invalid + failed + ([ending.aborted] if ending.aborted else [])
    for verdict, why in (
        (Verdict.INVALID, invalid),
        (Verdict.FAIL, failed),
        (Verdict.ABORTED, [ending.aborted] if ending.aborted else []),
    ):
        if why:
            return verdict, reasons
    return Verdict.PASS, [ending.uncounted.shares] if ending.uncounted.shares else []


def _is_without_data(limit: LimitResult) -> bool:
    """Return whether a limit broke at the end of the run only because no sample of its series was there."""
    return limit.value is None and limit.at_least is None and limit.at is None


def _broken(limit: LimitResult) -> str:
    when = "" if limit.at is None else f" at {limit.at} s"
    note = f" ({limit.note})" if limit.note else ""
    value = limit.shown.removeprefix(MAXIMUM)
    was = "the maximum was" if value != limit.shown else "was"
    return f"limit broke{when}: {limit.limit}, but {was} {value}{note}"
