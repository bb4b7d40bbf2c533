"""What was asked, what happened by the server's own record, what Chaperon said of it, whether that is right."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import many_files
from benchmarks.queue_target import Service, built, lateness, quantile
from benchmarks.situations import SITUATIONS, Situation
from benchmarks.truth_runs import Asked, Seen, run
from chaperon.report.validity.generator_part import is_marked

PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
SHARE, LEAST = 0.15, 0.001
"""A figure is not true if it is farther from the truth than this share of it, and than so many seconds."""
DISTURBED = 0.0005
"""A server whose departures are later than this (p99, seconds) was disturbed: the run is no witness, and made again."""
AGAIN = 3
HEAD = "| situation | by the server's own record, ms | Chaperon said, ms | verdict | right |"
PROBE = 3000.0
"""Visits a second of the open load that shows what a visit costs."""
ENDS = ("done", "failed", "interrupted", "dropped", "lost", "no_row")


@dataclass(frozen=True)
class Figure:
    """One printed percentile: *said* in seconds, or only *at_least*, or neither (too few samples), beside the truth."""

    clock: str
    name: str
    said: float | None
    at_least: float | None
    truth: float
    marked: bool
    tolerance: float | None = None

    @property
    def true(self) -> bool:
        """Whether it is near enough to the truth."""
        near = max(SHARE * self.truth, LEAST) if self.tolerance is None else self.tolerance
        if self.said is not None:
            return abs(self.said - self.truth) <= near
        return self.at_least is None or self.at_least <= self.truth + near

    @property
    def off(self) -> float:
        """By how many seconds it differs from the truth, 0 where it says none."""
        return 0.0 if self.said is None else self.said - self.truth

    def __str__(self) -> str:
        mark = "!" if self.marked else ""
        if self.said is None:
            return f"{self.name} " + ("?" if self.at_least is None else f"≥ {1000 * self.at_least:.1f}{mark}")
        return f"{self.name} {1000 * self.said:.1f}{mark}"


@dataclass(frozen=True)
class Judged:
    """A run beside the truth: its figures, and what is wrong with what it said (nothing: it is right)."""

    seen: Seen
    figures: list[Figure]
    wrong: list[str]

    @property
    def verdict(self) -> str:
        """What the run said of itself."""
        return str(self.seen.report["verdict"]) if self.seen.report else f"exit {self.seen.code}"


def situations(seeds: int = 1, only: Sequence[str] = ()) -> str:
    """Run the situations with *seeds* seeds each; return the table. Blocks for some five minutes a seed."""
    many_files()
    chosen = [s for s in SITUATIONS if not only or s.name in only]
    lines = [HEAD, "|---" * HEAD.count(" | ") + "|---|"]
    details: list[str] = []
    with tempfile.TemporaryDirectory(prefix="chaperon-truth-") as name:
        folder = Path(name)
        binary = built(folder)
        full = full_core(binary, folder) if any(s.name == "nearly full" for s in chosen) else 0.0
        for situation in chosen:
            runs = [judged(situation, situation.asked(full), binary, folder, seed) for seed in range(1, seeds + 1)]
            lines.append(_line(situation, runs))
            details += [f"{situation.name}, seed {r.seen.seed}: {what}" for r in runs for what in r.wrong]
            if situation.tolerance is not None:
                details += ["", *_seed_table(runs), ""]
            print(lines[-1], flush=True)
    return "\n".join(["", *lines, "", *details])


def full_core(binary: Path, folder: Path, *, open: bool = True) -> float:
    """Return the visits a second that use up one core: of an open load by what a part of it costs, of a closed one
    by what users without think time make.
    """
    load = f'rate({PROBE:.0f}, hold="3s")' if open else 'users(50, hold="3s")'
    seen = run(Asked(load, Service(0.002)), binary, folder)
    assert seen.report is not None, seen.text
    middle = [second for second in seen.report["seconds"] if 1 <= second["at"] <= 2]
    return float(sum(s["requests"] for s in middle) / sum(s["generator"]["hub_cpu"] for s in middle))


def judged(situation: Situation, asked: Asked, binary: Path, folder: Path, seed: int) -> Judged:
    """Run a situation, again where the server itself was disturbed; return what it said beside the truth."""
    for _ in range(AGAIN):
        seen = run(asked, binary, folder, seed)
        if lateness(seen.requests) <= DISTURBED:
            break
    return judge(situation, seen)


def judge(situation: Situation, seen: Seen) -> Judged:
    """Return what a run said beside the truth."""
    report = seen.report
    if report is None:
        return Judged(seen, [], [f"no report: {seen.text[-300:]}"])
    figures = compare(seen, situation.tolerance)
    wrong = [f"verdict {report['verdict']}: {'; '.join(report['reasons'])}"] * (
        report["verdict"] not in situation.verdicts
    )
    for figure in figures:
        said = f"{figure.clock} {figure}, but it was {1000 * figure.truth:.2f} ms"
        if not figure.true and (situation.honest or not (figure.marked or report["verdict"] == "INVALID")):
            wrong.append(said)
        elif figure.marked and situation.honest and situation.tolerance is None:
            wrong.append(f"{said}, and it is marked")
    return Judged(seen, figures, wrong + _counts(situation, seen, report))


def compare(seen: Seen, tolerance: tuple[float, float] | None = None) -> list[Figure]:
    """Return the printed percentiles of requests, and of an open load's visits from when they were due."""
    report = seen.report
    assert report is not None
    service, response = tolerance or (None, None)
    found = []
    own = sorted(r.took for r in seen.requests if r.status != 500)
    for row in report["series"]:
        if row["kind"] == "http":
            found += _figures("service", row, row["generator_part"], own, service)
        elif row["kind"] == "visit" and row["response"] is not None:
            parts = row["response_generator_part"]
            found += _figures("response", row["response"], parts, _ideal(seen, report), response)
    return found


def _figures(
    clock: str,
    said: dict[str, Any],
    parts: dict[str, float | None],
    own: Sequence[float],
    tolerance: float | None,
) -> list[Figure]:
    least = said.get("at_least") or {}
    found = []
    for name, q in PERCENTILES.items():
        value, bound, part = said[name], least.get(name), parts.get(name)
        marked = is_marked(bound if value is None else value, part)
        near = tolerance if clock == "service" or name == "p95" else None
        found.append(Figure(clock, name, value, bound, quantile(own, q), marked, near))
    return found


def _ideal(seen: Seen, report: dict[str, Any]) -> list[float]:
    """Return the response times of what was planned, sorted, had each arrival begun when it was due."""
    due = seen.asked.due(seen.seed)[: sum(entry["planned"] for entry in report["ledger"])]
    service = seen.asked.service
    ended = due[-1] + report["duration"] if due else 0.0
    times = service.ideal([at - due[0] for at in due]) if due else []
    if service.errors:  # which requests are in error is the server's choice; their visits are not
        return sorted(r.took for r in seen.requests)
    return sorted(took if took < ended else math.inf for took in times)


def _counts(situation: Situation, seen: Seen, report: dict[str, Any]) -> list[str]:
    """Return what does not add up: requests reported and received, visits planned and due."""
    wrong = []
    ledger = {name: sum(entry.get(name, 0) for entry in report["ledger"]) for name in ("planned", *ENDS)}
    said = sum(row["count"] for row in report["series"] if row["kind"] == "http")
    came = len(seen.requests)
    if not said <= came <= said + ledger["lost"]:
        wrong.append(f"{said:,} requests reported, {came:,} received, {ledger['lost']} visits lost")
    due = seen.asked.due(seen.seed)
    if due and situation.whole and ledger["planned"] != len(due):
        wrong.append(f"{ledger['planned']:,} visits planned, {len(due):,} were due")
    ends = sum(ledger[name] for name in ENDS)
    if ledger["planned"] != ends:
        wrong.append(f"{ledger['planned']:,} visits planned, {ends:,} ended")
    return wrong


def _line(situation: Situation, runs: Sequence[Judged]) -> str:
    """Return the row of a situation: its first run, how many of all were right."""
    first = runs[0]
    right = sum(not r.wrong for r in runs)
    verdicts = ", ".join(sorted({r.verdict for r in runs}))
    came, clocks = len(first.seen.requests), dict.fromkeys(f.clock for f in first.figures)
    own, said = [], []
    for clock in clocks:
        mine = [f for f in first.figures if f.clock == clock]
        own.append(f"{clock} " + ", ".join(f"{f.name} {_ms(f.truth)}" for f in mine))
        said.append(f"{clock} " + ", ".join(map(str, mine)))
    report = first.seen.report
    count = sum(row["count"] for row in report["series"] if row["kind"] == "http") if report else 0
    truths, saids = "; ".join([*own, f"{came:,} requests"]), "; ".join([*said, f"{count:,} requests"])
    answer = f"{right} of {len(runs)}" if len(runs) > 1 else "yes" if right else "**no**"
    if situation.tolerance is not None:
        figures = [figure for r in runs for figure in r.figures]
        answer += f", {sum(figure.marked for figure in figures)} of {len(figures)} figures marked"
    return f"| {situation.name}: {situation.what} | {truths} | {saids} | {verdicts} | {answer} |"


def _seed_table(runs: Sequence[Judged]) -> list[str]:
    """Return a table of each seed's figures, said and true."""
    names = [f"{f.clock} {f.name}" for f in runs[0].figures]
    lines = ["| seed | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for each in runs:
        cells = [f"{1000 * f.truth:.2f} {1000 * f.off:+.2f}" for f in each.figures]
        lines.append(f"| {each.seen.seed} | " + " | ".join(cells) + " |")
    return lines


def _ms(value: float) -> str:
    return f"{1000 * value:.1f}" if math.isfinite(value) else "never"
