"""What speaks against trusting a run: the generator's own faults, by worker, by second."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chaperon.measure.window import RunEvent, Window
from chaperon.report.format import time_text
from chaperon.report.totals import Totals, WorkerStats
from chaperon.report.validity.causes import EVIDENCE, UNKNOWN, cause_of
from chaperon.report.validity.generator_part import EXCESS
from chaperon.report.validity.validity_rules import ValidityRules

NOTICEABLE = 0.002
"""From so much on, or a share of a visit that is shorter, lateness beside a busy processor is saturation."""
CROWDED = 0.005
"""From so much on, beyond a tenth of a visit, what visits wait for a core of a busy machine is too much."""
ROOM = 0.65
"""How much of a core may be used before lateness grows."""
THROTTLED = 0.1
"""Seconds of a second that a CPU quota stopped, from which on it does not show how much a core can do."""
BRIEF = 0.5
"""So long a stop is none of the short runs' own: what starts a run may take a part of it."""
FULL = 0.9
"""From which share on of what the system lets a process open a warning is due."""


class Verdicts(NamedTuple):
    """Reasons that make the run INVALID, and what is less than that."""

    invalid: list[str]
    warnings: list[str]


@dataclass(slots=True)
class _Record:
    """What is kept of one worker: only the seconds in which something was wrong."""

    late: dict[int, float] = field(default_factory=dict)
    started_late: dict[int, float] = field(default_factory=dict)
    busy: dict[int, float] = field(default_factory=dict)
    used_up: set[int] = field(default_factory=set)
    crowded: dict[int, float] = field(default_factory=dict)
    stalled: dict[int, float] = field(default_factory=dict)
    dropped: dict[int, int] = field(default_factory=dict)
    made: dict[int, int] = field(default_factory=dict)
    evidence: dict[int, dict[str, float]] = field(default_factory=dict)


class GeneratorChecks:
    """Hears every window; `judge` says what the rules make of it."""

    def __init__(self, rules: ValidityRules) -> None:
        self._rules = rules
        self._records: dict[str, _Record] = {}
        self._duration = 0.0

    def __repr__(self) -> str:
        return f"<GeneratorChecks about {', '.join(self._records) or 'nobody'}>"

    def add(self, window: Window) -> None:
        """Take in one window, whenever it comes."""
        health, rules, second = window.health, self._rules, window.at
        record = self._records.setdefault(window.worker, _Record())
        lateness = max(health.get("late_p99", 0.0), health.get("lag_p90", 0.0))
        lag = max(health.get("lag_p50", 0.0), health.get("late_p50", 0.0))
        if rules.late is not None and lateness > rules.late:
            record.late[second] = lateness
            record.started_late[second] = health.get("late_p99", 0.0)
        if rules.cpu is not None:
            if max(health.get("hub_cpu", 0.0), health.get("hub_wanted", 0.0)) > rules.cpu:
                record.busy[second] = max(lateness, lag)
                if health.get("hub_cpu", 0.0) > rules.cpu:
                    record.used_up.add(second)
            elif health.get("machine", 0.0) > rules.cpu and lag > NOTICEABLE:
                record.crowded[second] = lag
        if rules.stall is not None and health.get("lag_max", 0.0) > min(rules.stall, BRIEF):
            record.stalled[second] = health["lag_max"]
        dropped = int(health.get("dropped_late", 0.0) + health.get("dropped_cap", 0.0))
        if dropped:
            record.dropped[second] = dropped
        if second in record.late or second in record.busy or dropped:
            record.made[second] = sum(c.done + c.failed for c in window.ledger.values())
            record.evidence[second] = {name: health.get(name, 0.0) for name in EVIDENCE}

    def evaluate(self, totals: Totals, duration: float) -> Verdicts:
        """Return what the rules say of a run of *duration* seconds, the worst first."""
        found, self._duration = Verdicts([], []), duration
        several = len(totals.workers) > 1
        self._judge_drops(totals, found, several)
        for worker in totals.workers:
            record = self._records.get(worker.name)
            if record is None:
                continue
            where = f" on {worker.name}" if several else ""
            self._judge_lateness(worker, record, totals, where, found)
            self._judge_processor(worker, record, totals, where, found)
            self._judge_stalls(worker, record, totals, where, found)
            self._judge_means(worker, where, found)
        return found

    def _judge_drops(self, totals: Totals, found: Verdicts, several: bool) -> None:
        late = sum(int(t.health.get("dropped_late", 0)) for t in totals.workers)
        cap = sum(int(t.health.get("dropped_cap", 0)) for t in totals.workers)
        arrivals = late + cap + sum(int(t.health.get("starts", 0)) for t in totals.workers)
        if not late + cap or self._rules.dropped is None:
            return
        share = (late + cap) / arrivals
        whose = [t for t in totals.workers if t.health.get("dropped_late", 0) + t.health.get("dropped_cap", 0)]
        seconds = {s for t in whose for s in self._records[t.name].dropped} if self._records else set()
        where = f" on {', '.join(t.name for t in whose)}" if several else ""
        whys = [f"{late:,} too late to begin"] if late else []
        whys += [f"{cap:,} beyond the cap of visits in flight"] if cap else []
        said = f"{late + cap:,} of {arrivals:,} arrivals ({share:.1%}) were dropped{where}, {format_seconds(seconds)}"
        remedy = "raise in_flight=, or send less" if cap > late else self._remedy(whose[0], totals)
        reason = f"{said}: {', '.join(whys)}; {remedy}"
        (found.invalid if share > self._rules.dropped else found.warnings).append(reason)

    def _judge_lateness(
        self, worker: WorkerStats, record: _Record, totals: Totals, where: str, found: Verdicts
    ) -> None:
        rules = self._rules
        if rules.late is None:
            return
        bound = max(rules.late, (rules.late_share or 0.0) * _median(totals))
        seconds = [s for s, lateness in record.late.items() if lateness > bound]
        if not seconds:
            return
        started = [s for s in seconds if record.started_late[s] > bound]
        lasting = running(seconds, _whole(rules.late_for)) or running(started, self._seconds(rules.late_for))
        worst = max(record.late[s] for s in seconds)
        said = (
            f"visits began up to {time_text(worst)} late (p99 of a second){where}, {format_seconds(lasting or seconds)}"
        )
        (found.invalid if lasting else found.warnings).append(f"{said}: {self._remedy(worker, totals)}")

    def _judge_processor(
        self, worker: WorkerStats, record: _Record, totals: Totals, where: str, found: Verdicts
    ) -> None:
        least = _whole(self._rules.cpu_for)
        share = (self._rules.late_share or 0.0) * _median(totals)
        healthy = worker.health.get("healthy_lag", 0.0)
        bound = max(min(NOTICEABLE, share) if share else NOTICEABLE, healthy + EXCESS)
        busy = [s for s, lag in record.busy.items() if lag > bound]
        if busy:
            used_up = [s for s in busy if s in record.used_up]
            lasting = running(busy, least) or running(used_up, self._seconds(self._rules.cpu_for))
            said = (
                f"the generator used up its core{where}, {format_seconds(lasting or busy)}, and its times are its own"
            )
            (found.invalid if lasting else found.warnings).append(f"{said}: {self._remedy(worker, totals)}")
        if record.crowded:
            bound = max(CROWDED, share)
            lasting = running([s for s, lag in record.crowded.items() if lag > bound], least)
            when = format_seconds(lasting or record.crowded)
            said = f"the machine's cores were all busy{where}, {when}, and visits waited"
            remedy = "keep the target and the generator on different cores, or on different machines"
            (found.invalid if lasting else found.warnings).append(f"{said}: {remedy}")

    def _judge_stalls(self, worker: WorkerStats, record: _Record, totals: Totals, where: str, found: Verdicts) -> None:
        stall = self._rules.stall
        stalled = {} if stall is None else {s: t for s, t in record.stalled.items() if t > self._span(stall, BRIEF)}
        if stalled:
            worst = max(stalled.values())
            said = f"nothing went on for {time_text(worst)}{where}, {format_seconds(stalled)}"
            found.invalid.append(f"{said}: {_seen(worker.name, totals, self._rules.stall or 0.0)}")
            return
        brief = [h for name, h in totals.happenings if name == worker.name and h.kind in _STOPS]
        if brief:
            worst_one = max(brief, key=lambda h: h.took)
            times = f", the longest of {len(brief)}" if len(brief) > 1 else ""
            found.warnings.append(
                f"nothing else went on for {time_text(worst_one.took)}{where}, second {worst_one.at:.0f}{times}: "
                f"{worst_one.text}"
            )

    def _judge_means(self, worker: WorkerStats, where: str, found: Verdicts) -> None:
        health, allowed = worker.health, self._rules.exhausted
        for name, remedy in _MEANS.items():
            short = health.get(f"out_of_{name}", 0.0)
            if short and allowed is not None and short > allowed:
                found.invalid.append(f"{short:,.0f} connections could not be made for want of {name}{where}: {remedy}")
            elif health.get(name, 0.0) > FULL * health.get(f"{name}_limit", math.inf):
                used = f"{health[name]:,.0f} of {health[f'{name}_limit']:,.0f} {name} were in use{where}"
                found.warnings.append(f"{used}: {remedy}")

    def _span(self, rule: float, least: float = 0.0) -> float:
        """Return the span of a rule in seconds: no more than a third of the run, for which it would be too long."""
        return min(rule, max(self._duration / 3, least))

    def _seconds(self, rule: float | None) -> int:
        """Return how many seconds running a rule asks for, 1 at least.

        What others on the machine do to a short run is judged by the figures it falsified, not by these rules.
        """
        return max(math.ceil(self._span(rule or 1.0)), 1)

    def _remedy(self, worker: WorkerStats, totals: Totals) -> str:
        """Return what would help one worker: more processes where its core is used up, else what was seen."""
        record = self._records[worker.name]
        cores, hub = int(worker.health.get("cores", 1)), worker.health.get("hub_cpu", 0.0)
        stops = [h for name, h in totals.happenings if name == worker.name and h.kind in _STOPS and h.took > 0.5]
        if stops and hub < 0.9:
            return max(stops, key=lambda h: h.took).text
        wrong = {*record.late, *record.busy, *record.dropped}
        if hub < 0.7 or any(record.evidence[s].get("throttled", 0.0) > THROTTLED for s in wrong):
            seen = {name: sum(record.evidence[s][name] for s in wrong) for name in EVIDENCE}
            return cause_of(seen, len(wrong)) or UNKNOWN
        planned = max((r.counts.planned for r in totals.seconds if r.at in wrong), default=0)
        made = max((record.made.get(s, 0) for s in wrong), default=0)
        have = len(totals.workers)
        opened = any(t.health.get("starts") for t in totals.workers)
        if not opened or not made:
            want, load = 2 * have, "so many users"
        else:
            want, load = max(math.ceil(planned / (made * ROOM)), have + 1), f"{planned:,}/s of this scenario"
        said = f"{have} core{'s are' if have > 1 else ' is'} not enough for {load}"
        if want <= cores:
            return f"{said}: use --processes {want}"
        return f"{said}, and {want} would be needed, but this machine has {cores}: use more machines, or send less"


_STOPS = ("blocked", "held", "collected", "throttled", "stolen", "starved", "paused")
_MEANS = {
    "descriptors": "raise the limit (ulimit -n, or LimitNOFILE= of the service)",
    "ports": "widen net.ipv4.ip_local_port_range, or keep connections open",
}


def running(seconds: Sequence[int] | Mapping[int, object], least: int) -> list[int]:
    """Return those seconds that belong to a run of at least *least* in a row."""
    kept: list[int] = []
    row: list[int] = []
    for second in sorted(seconds):
        if row and second != row[-1] + 1:
            row = []
        row.append(second)
        if len(row) == least:
            kept += row
        elif len(row) > least:
            kept.append(second)
    return kept


def format_seconds(seconds: Sequence[int] | Mapping[int, object] | set[int]) -> str:
    """Return seconds as a person would say them: "seconds 3–9 and 12"."""
    spans: list[list[int]] = []
    for second in sorted(seconds):
        if spans and second == spans[-1][1] + 1:
            spans[-1][1] = second
        else:
            spans.append([second, second])
    shown = [f"{a}" if a == b else f"{a}–{b}" for a, b in spans[:5]]
    if len(spans) > 5:
        shown.append(f"{sum(b - a + 1 for a, b in spans[5:])} more")
    said = " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
    return f"second {said}" if len(spans) == 1 and spans[0][0] == spans[0][1] else f"seconds {said}"


def _whole(rule: float | None) -> int:
    return max(math.ceil(rule or 1.0), 1)


def _median(totals: Totals) -> float:
    """Return the smallest median response of any scenario's visits, 0 without one."""
    medians = [
        sketch.quantile(0.5) or 0.0
        for key, series in totals.series.items()
        if key.kind == "visit" and (sketch := series.response or series.good)
    ]
    return min(medians, default=0.0)


def _seen(worker: str, totals: Totals, least: float) -> str:
    """Return what was seen to stop a worker, the longest first."""
    stops: list[RunEvent] = [h for name, h in totals.happenings if name == worker and h.kind in _STOPS]
    stops = sorted((h for h in stops if h.took > least / 2), key=lambda h: -h.took)
    if not stops:
        return UNKNOWN
    return "; ".join(h.text for h in stops[:3])
