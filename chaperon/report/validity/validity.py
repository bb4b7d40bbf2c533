"""Validity checks: faults of the generator, per worker and per second, evaluated by the rules at the end."""

from __future__ import annotations

import math
from dataclasses import field
from typing import NamedTuple

from chaperon import descriptors
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.quantity import count_text
from chaperon.measure.window import RunEvent, Window
from chaperon.report.format import number_text, time_text
from chaperon.report.totals import Totals, WorkerStats
from chaperon.report.validity.causes import EVIDENCE, UNKNOWN, cause_of
from chaperon.report.validity.generator_part import EXCESS
from chaperon.report.validity.seconds import consecutive, format_seconds
from chaperon.report.validity.validity_rules import ValidityRules

NOTICEABLE = 0.002
"""Lateness in seconds from which a busy core counts as saturated; for short visits a share of the visit, if smaller."""
CROWDED = 0.005
"""Lateness in seconds, and more than `late_share` of a visit, from which a machine with all cores busy invalidates."""
ROOM = 0.65
"""The share of a core that can be used before lateness grows."""
THROTTLED = 0.1
"""Seconds of throttling in one second from which the visits made do not show the capacity of a core."""
BRIEF = 0.5
"""Shortest stall, in seconds, that makes a run INVALID however short it is: starting a run stalls it for less."""
FULL = 0.9
"""Share of the system's limit on descriptors or ports from which a warning is given."""


class Problems(NamedTuple):
    """Sentences on the faults found: reasons that make the run INVALID, and warnings."""

    invalid: list[str]
    warnings: list[str]


@lazy_dataclass(slots=True)
class _Record:
    """The observations of one worker, by second; only seconds in which a fault was seen.

    *measured* is the last second with a sample, or in which visits were due.
    """

    measured: float = -math.inf
    late: dict[int, float] = field(default_factory=dict)
    started_late: dict[int, float] = field(default_factory=dict)
    busy: dict[int, float] = field(default_factory=dict)
    used_up: set[int] = field(default_factory=set)
    crowded: dict[int, float] = field(default_factory=dict)
    stalled: dict[int, float] = field(default_factory=dict)
    dropped: dict[int, int] = field(default_factory=dict)
    made: dict[int, int] = field(default_factory=dict)
    evidence: dict[int, dict[str, float]] = field(default_factory=dict)

    def while_measured(self, seen: dict[int, float]) -> dict[int, float]:
        """Return *seen* up to the second *measured*: sessions are closed after it, and nothing is measured."""
        return {second: figure for second, figure in seen.items() if not second > self.measured > -math.inf}


class GeneratorChecks:
    """Collects the health figures of every window; `evaluate` applies the rules to them."""

    def __init__(self, rules: ValidityRules) -> None:
        self._rules = rules
        self._records: dict[str, _Record] = {}
        self._duration = 0.0

    def __repr__(self) -> str:
        return f"<GeneratorChecks about {', '.join(self._records) or 'no worker'}>"

    def add(self, window: Window) -> None:
        """Add the health figures of one window; the order does not matter."""
        health, rules, second = window.health, self._rules, window.at
        record = self._records.setdefault(window.worker, _Record())
        if window.series or any(window.due.values()):
            record.measured = max(record.measured, second)
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

    def evaluate(self, totals: Totals, duration: float) -> Problems:
        """Return the faults of a run of *duration* seconds."""
        found, self._duration = Problems([], []), duration
        several = len(totals.workers) > 1
        self._check_drops(totals, found, several)
        for worker in totals.workers:
            record = self._records.get(worker.name)
            if record is None:
                continue
            where = f" on {worker.name}" if several else ""
            self._check_lateness(worker, record, totals, where, found)
            self._check_processor(worker, record, totals, where, found)
            self._check_stalls(worker, record, totals, where, found)
            self._check_resources(worker, where, found)
        return found

    def _check_drops(self, totals: Totals, found: Problems, several: bool) -> None:
        late = sum(int(t.health.get("dropped_late", 0)) for t in totals.workers)
        cap = sum(int(t.health.get("dropped_cap", 0)) for t in totals.workers)
        arrivals = late + cap + sum(int(t.health.get("starts", 0)) for t in totals.workers)
        if not late + cap or self._rules.dropped is None:
            return
        share = (late + cap) / arrivals
        affected = [t for t in totals.workers if t.health.get("dropped_late", 0) + t.health.get("dropped_cap", 0)]
        seconds = {s for t in affected for s in self._records[t.name].dropped} if self._records else set()
        where = f" on {', '.join(t.name for t in affected)}" if several else ""
        causes = [f"{late:,} too late to start"] if late else []
        causes += [f"{cap:,} beyond the cap of visits in flight"] if cap else []
        fault = f"{late + cap:,} of {arrivals:,} arrivals ({share:.1%}) were dropped{where}, {format_seconds(seconds)}"
        remedy = "raise in_flight=, or send less" if cap > late else self._remedy(affected[0], totals)
        span = max(totals.due.values(), default=self._duration) or self._duration or 1.0
        rates = (
            f"asked for {number_text(arrivals / span)} visits/s, began {number_text((arrivals - late - cap) / span)}/s"
        )
        reason = f"{fault}: {', '.join(causes)}; {rates}; {remedy}"
        (found.invalid if share > self._rules.dropped else found.warnings).append(reason)

    def _check_lateness(
        self, worker: WorkerStats, record: _Record, totals: Totals, where: str, found: Problems
    ) -> None:
        rules = self._rules
        if rules.late is None:
            return
        bound = max(rules.late, (rules.late_share or 0.0) * _median(totals))
        seconds = [s for s, lateness in record.while_measured(record.late).items() if lateness > bound]
        if not seconds:
            return
        started = [s for s in seconds if record.started_late[s] > bound]
        # other processes can delay a short run: that counts for the full time only, or by `invalidated_limits`
        full, reduced = _whole_seconds(rules.late_for), self._required_seconds(rules.late_for)
        lasting = consecutive(seconds, full) or consecutive(started, reduced)
        worst, when = max(record.late[s] for s in seconds), format_seconds(lasting or seconds)
        fault = f"visits started late: 1 % of a second's by {time_text(worst)} or more{where}, {when}"
        (found.invalid if lasting else found.warnings).append(f"{fault}: {self._remedy(worker, totals)}")

    def _check_processor(
        self, worker: WorkerStats, record: _Record, totals: Totals, where: str, found: Problems
    ) -> None:
        least = _whole_seconds(self._rules.cpu_for)
        share = (self._rules.late_share or 0.0) * _median(totals)
        healthy = worker.health.get("healthy_lag", 0.0)
        bound = max(min(NOTICEABLE, share) if share else NOTICEABLE, healthy + EXCESS)
        busy = [s for s, lag in record.while_measured(record.busy).items() if lag > bound]
        if busy:
            used_up = [s for s in busy if s in record.used_up]
            lasting = consecutive(busy, least) or consecutive(used_up, self._required_seconds(self._rules.cpu_for))
            fault = f"the generator used up its core{where}, {format_seconds(lasting or busy)}, and distorted the times"
            (found.invalid if lasting else found.warnings).append(f"{fault}: {self._remedy(worker, totals)}")
        if crowded := record.while_measured(record.crowded):
            bound = max(CROWDED, share)
            lasting = consecutive([s for s, lag in crowded.items() if lag > bound], least)
            when = format_seconds(lasting or crowded)
            fault = f"the machine's cores were all busy{where}, {when}, and visits waited"
            remedy = "keep the target and the generator on different cores, or on different machines"
            (found.invalid if lasting else found.warnings).append(f"{fault}: {remedy}")

    def _check_stalls(self, worker: WorkerStats, record: _Record, totals: Totals, where: str, found: Problems) -> None:
        stall = self._rules.stall
        least = math.inf if stall is None else self._rule_time(stall, BRIEF)
        stalled = {second: span for second, span in record.while_measured(record.stalled).items() if span > least}
        if stalled:
            worst = max(stalled.values())
            fault = f"the event loop stalled for {time_text(worst)}{where}, {format_seconds(stalled)}"
            found.invalid.append(f"{fault}: {_stall_causes(worker.name, totals, self._rules.stall or 0.0)}")
            return
        brief = [h for name, h in totals.happenings if name == worker.name and h.kind in _STOPS]
        if brief:
            worst_one = max(brief, key=lambda h: h.took)
            times = f", the longest of {len(brief)}" if len(brief) > 1 else ""
            found.warnings.append(
                f"the event loop stalled for {time_text(worst_one.took)}{where}, second {worst_one.at:.0f}{times}: "
                f"{worst_one.text}"
            )

    def _check_resources(self, worker: WorkerStats, where: str, found: Problems) -> None:
        health, allowed = worker.health, self._rules.exhausted
        for name, (in_use, remedy) in _RESOURCES.items():
            short = health.get(f"out_of_{name}", 0.0)
            if short and allowed is not None and short > allowed:
                failed = f"{count_text(round(short), 'connection')} failed because {name} ran out{where}"
                found.invalid.append(f"{failed}: {remedy}")
            elif health.get(name, 0.0) > FULL * health.get(f"{name}_limit", math.inf):
                used = in_use.format(health[name], health[f"{name}_limit"])
                found.warnings.append(f"{used}{where}: {remedy}")

    def _rule_time(self, rule: float, least: float = 0.0) -> float:
        """Return the time of a rule in seconds; at most a third of the run, or *least* if that is more."""
        return min(rule, max(self._duration / 3, least))

    def _required_seconds(self, rule: float | None) -> int:
        """Return the number of consecutive seconds a rule requires, at least 1; fewer in a short run."""
        return max(math.ceil(self._rule_time(rule or 1.0)), 1)

    def _remedy(self, worker: WorkerStats, totals: Totals) -> str:
        """Return a remedy for one worker: more processes if its core is used up, else the cause seen and its remedy."""
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
            want, load = 2 * have, "this number of users"
        else:
            want, load = max(math.ceil(planned / (made * ROOM)), have + 1), f"{planned:,}/s of this scenario"
        fault = f"{have} core{'s are' if have > 1 else ' is'} not enough for {load}"
        if want <= cores:
            return f"{fault}: use --processes {want}"
        return f"{fault}: {want} are needed, but this machine has {cores}: use more machines, or send less"


_STOPS = ("blocked", "held", "collected", "throttled", "stolen", "starved", "paused")
_RESOURCES = {
    "descriptors": (
        "{:,.0f} of {:,.0f} descriptors were in use",
        descriptors.REMEDY,
    ),
    "ports": (  # both ends of a connection over loopback count: there the sockets may be more than the ports
        "{:,.0f} TCP sockets were open on this machine, of which each target address can have {:,.0f} (a port each)",
        "widen net.ipv4.ip_local_port_range, or keep connections open",
    ),
}
"""What a generator may run out of: the text for how many are in use and may be, and the remedy."""


def _whole_seconds(rule: float | None) -> int:
    return max(math.ceil(rule or 1.0), 1)


def _median(totals: Totals) -> float:
    """Return the smallest median response time, in seconds, of any scenario's visits, 0 without visits."""
    medians = [
        sketch.quantile(0.5) or 0.0
        for key, series in totals.series.items()
        if key.kind == "visit" and (sketch := series.response or series.good)
    ]
    return min(medians, default=0.0)


def _stall_causes(worker: str, totals: Totals, least: float) -> str:
    """Return the causes seen for stalls of a worker, the longest first."""
    stops: list[RunEvent] = [h for name, h in totals.happenings if name == worker and h.kind in _STOPS]
    stops = sorted((h for h in stops if h.took > least / 2), key=lambda h: -h.took)
    if not stops:
        return UNKNOWN
    return "; ".join(h.text for h in stops[:3])
