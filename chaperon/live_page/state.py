"""The state of a run as the page shows it: whole, and as a message of what one second changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from chaperon._version import VERSION
from chaperon.live_page.totals import RunTotals
from chaperon.measure.precision.history import History
from chaperon.measure.sample import WARM_UP, Key
from chaperon.report.limits.limit_result import MAXIMUM
from chaperon.report.outputs.closed_second import ClosedSecond
from chaperon.report.outputs.json import worker_row
from chaperon.report.outputs.output import PlannedRun
from chaperon.report.page.payload import charted, clean, flat_histogram, limit_bound, page_payload, step_values
from chaperon.report.page.steps import RunSteps, SeriesName
from chaperon.report.report import Report, Verdict
from chaperon.report.totals import Pulse

UPDATES = 10
"""How often a step of several seconds is drawn again before it is finished."""


class LiveState:
    """What the page shows of one run, from its closed seconds and the run itself.

    A message holds the values of now, never differences, so that applying one twice does no harm.
    *breathe* is called between two series, so that others can run. *started* is ISO 8601, UTC.
    """

    def __init__(self, plan: PlannedRun, started: str, breathe: Callable[[], object] = lambda: None) -> None:
        self.plan = plan
        self._started = started
        self._breathe = breathe
        self._steps = RunSteps(breathe)
        self._totals = RunTotals(breathe)
        self._events_sent = 0
        self._report: Report | None = None

    def __repr__(self) -> str:
        return f"<LiveState of {self.plan.environment}: {self._totals}>"

    @property
    def length(self) -> int:
        """The length of a step of the charts, in seconds."""
        return self._steps.length

    def add(self, second: ClosedSecond) -> None:
        """Add the next second."""
        self._totals.add(second)
        self._steps.add(second)

    def late(self, second: ClosedSecond) -> None:
        """Add what came late for a second: to the tables, not to the charts."""
        self._totals.add(second)

    def finish(self, report: Report) -> None:
        """Show *report* from now on, which is the final one."""
        self._report = report

    def message(self, second: ClosedSecond | None) -> dict[str, Any]:
        """Return what changed since the last message, of the charts where *second* has been added."""
        totals = self._totals
        places = totals.remake_rows(self._began)
        pulse = self._pulse()
        tables = self._small_tables(pulse)
        events, self._events_sent = totals.event_rows(self._events_sent), len(totals.events)
        return {
            "point": None if second is None else self._point(second),
            "counts": totals.changed_counts(),
            "rows": {str(place): totals.row(place) for place in places},
            "lengths": totals.lengths,
            "errors": totals.changed_errors(),
            "events": [self._events_sent - len(events), events],
            "tables": {**tables, "events": totals.event_groups()} if events else tables,
            "bounds": self._bounds(tables["limits"]),
            "state": self._engine_state(pulse),
        }

    def payload(self) -> dict[str, Any]:
        """Return all that the page shows, as the frozen page has it, with the state of the run."""
        if self._report is not None:
            return {**page_payload(self._report, self.plan, self._steps), "state": self._engine_state(None)}
        totals = self._totals
        totals.remake_all(self._began)
        pulse, steps = self._pulse(), self._steps.steps()
        tables = {
            **self._small_tables(pulse),
            "started": self._started,
            "environment": self.plan.environment,
            "chaperon": VERSION,
            "seed": self.plan.seed,
            "series": totals.rows(),
            "errors": [totals.error_row(where) for where in totals.errors],
            "happenings": totals.event_rows(),
            "events": totals.event_groups(),
        }
        names = [series.name for series in totals.series][: len(tables["series"])]
        whole = charted(tables, self.plan, steps, False, names=names, zoomable=0, breathe=self._breathe)
        return {
            **whole,
            "exchange_files": [],
            "bounds": self._bounds(tables["limits"]),
            "state": self._engine_state(pulse),
        }

    def opened(self, scenario: str, name: str, kind: str) -> dict[str, Any]:
        """Return what an opened row shows beyond its columns: "row" with intervals, "histograms" of each step.

        The row is None where the final report has it; both are empty for a series that there is not. May block.
        """
        shown = SeriesName(scenario, name, kind)
        found = [each for each in self._totals.places if SeriesName(clean(each[0]), clean(each[1]), each[2]) == shown]
        if not found:
            return {"row": None, "histograms": []}
        _, steps = self._steps.steps()
        histograms = [flat_histogram(step.series.get(found[0])) for step in steps]
        run = self.plan.run
        if self._report is not None or run is None:
            return {"row": None, "histograms": histograms}
        parts: list[History | None] = []
        for key, history in run.histories():
            if key.phase != WARM_UP and key.kind == kind:
                named = (clean(self.plan.redact(key.scenario)), clean(self.plan.redact(key.name)))
                parts += [history.breathing(self._breathe)] if named == shown[:2] else []
        row = self._totals.opened(found[0], self._began, History.merge_all(parts))
        return {"row": row, "histograms": histograms}

    def _pulse(self) -> Pulse | None:
        """Return the figures of the last seconds; None before the first, and after the end."""
        run = self.plan.run
        return None if run is None or not self._totals.seconds or self._report is not None else run.pulse()

    def _engine_state(self, pulse: Pulse | None) -> dict[str, Any]:
        """Return the state of the run, as its engine has it: "starting", "running", "paused", "stopping" or "ended"."""
        run = self.plan.run
        ending = None if run is None else run.ending
        if self._report is not None:
            word = "ended"
        elif not self._totals.seconds:
            word = "starting"
        else:
            over = ending is not None or (run is not None and run.ended)
            word = "stopping" if over else "paused" if run is not None and run.paused else "running"
        return {
            "word": word,
            "ending": None if ending is None else clean(self.plan.redact(ending)),
            "scale": 1.0 if pulse is None or run is None else run.factor,
            "length": self.plan.length,
            "elapsed": self._totals.seconds,
            "users": None if pulse is None else pulse.users,
            "rate": None if pulse is None else pulse.requests_rate,
            "error_share": None if pulse is None else pulse.error_share,
            "p95": None if pulse is None else pulse.p95,
            "p95_at_least": None if pulse is None else pulse.p95_at_least,
        }

    @property
    def _began(self) -> float:
        return 0.0 if self.plan.run is None else self.plan.run.began

    def _bounds(self, limits: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | None]:
        keys = [Key(*name) for name in self._totals.places]
        return [limit_bound(limit["limit"], keys) for limit in limits]

    def _point(self, second: ClosedSecond) -> dict[str, Any] | None:
        length = self._steps.length
        if (second.at + 1) % max(length // UPDATES, 1):
            return None
        newest = self._steps.newest()
        return None if newest is None else step_values(newest, length, self._totals.places)

    def _small_tables(self, pulse: Pulse | None) -> dict[str, Any]:
        """Return the tables that are whole in every message.

        "held" of a limit is None where only the end decides, such as of a count that has yet to grow.
        """
        run, plan = self.plan.run, self.plan
        crew = [] if run is None else run.crew
        now = Pulse() if run is None else run.pulse()
        invalid, undecided = now.invalid, {state.text for state in now.limits if state.standing == "open"}
        limits = [] if run is None else [asdict(result) for result in run.limits_so_far()]
        for limit in limits:
            if limit["limit"] in undecided:
                limit["held"] = None
            limit["limit"] = clean(plan.redact(limit["limit"]))
        broken = [limit for limit in limits if limit["held"] is False]
        ending = None if run is None else run.ending
        verdict = (
            Verdict.INVALID if invalid else Verdict.FAIL if broken else Verdict.ABORTED if ending else Verdict.PASS
        )
        return {
            "verdict": (Verdict.INVALID if invalid else verdict).value,
            "reasons": [
                *[clean(plan.redact(reason)) for reason in invalid],
                *[_broken_text(limit) for limit in broken],
                *([clean(plan.redact(ending))] if ending else []),
            ],
            "warnings": [
                f"worker {clean(worker.name)} was lost: the outcome of visits that it had begun is unknown"
                for worker in crew
                if worker.lost
            ],
            "duration": float(self._totals.seconds),
            "limits": limits,
            "requests": self._totals.requests_row(self._began),
            "ledger": self._totals.ledger_rows(),
            "workers": [{**worker_row(worker), "name": clean(worker.name)} for worker in crew],
            "notes": self._totals.note_rows(),
        }


def _broken_text(limit: Mapping[str, Any]) -> str:
    """Return how a limit is broken so far, and why by the maximum if it is."""
    value = limit["shown"].removeprefix(MAXIMUM)
    if value == limit["shown"]:
        return f"{limit['limit']} is {value}"
    return f"{limit['limit']}: the maximum is {value} ({limit['note']})"
