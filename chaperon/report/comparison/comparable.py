"""Whether runs can be compared: the same load and the same phases, and none of them INVALID."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from chaperon.measure.sample import WARM_UP
from chaperon.report.comparison.decision import SHORTEST
from chaperon.report.comparison.measured_run import MeasuredRun
from chaperon.report.report import Verdict

TOLERANCE = 0.02
"""Largest difference between the visits planned a second, as a share, in loads that are the same."""
_USERS = re.compile(r"\busers?\b(?!/s)")


def refusals(runs: Sequence[MeasuredRun]) -> list[str]:
    """Return why *runs* cannot be compared, one sentence a reason; empty if they can."""
    invalid = [f"{run.name} is INVALID: {_first(run)}" for run in runs if run.report.verdict is Verdict.INVALID]
    first = runs[0]
    same = _same(runs) if len(runs) > 2 else []  # which would seem to vary less from run to run than they do
    return [*invalid, *same, *(reason for run in runs[1:] for reason in _differences(first, run))]


def _same(runs: Sequence[MeasuredRun]) -> list[str]:
    pairs = [(one, other) for one, other in combinations(runs, 2) if _is_same_run(one, other)]
    return [f"{one.name} and {other.name} are the same run: give each run once" for one, other in pairs]


def _is_same_run(one: MeasuredRun, other: MeasuredRun) -> bool:
    """Return whether two runs are one, or the file of one is a copy of that of the other."""
    first, second = one.recorded, other.recorded
    return (first.checksum, first.header) == (second.checksum, second.header)


def warnings(runs: Sequence[MeasuredRun]) -> list[str]:
    """Return what else differs between *runs*, or makes their comparison weak, one sentence each."""
    found = [f"{run.name} was stopped early: {run.report.aborted}" for run in runs if run.report.aborted is not None]
    for run in runs:
        if run.length < SHORTEST:
            found.append(f"{run.name} has {run.length:.0f} s to compare: at least {SHORTEST} s are needed")
    found += _same(runs) if len(runs) == 2 else []
    if any(run.header.loads and run.phase is None and len(run.phases) > 1 for run in runs):
        found.append("the load is not steady: times of all its levels are compared together")
    for what, values in (
        ("seeds", [f"{run.header.seed}" for run in runs]),
        ("machines that sent the load", [run.header.host for run in runs]),
        ("scenarios", [run.header.scenario[:12] for run in runs]),
        ("environments", [run.header.environment for run in runs]),
        ("versions of Chaperon", [run.header.versions.get("chaperon", "") for run in runs]),
    ):
        different = [value or "unknown" for value in dict.fromkeys(values)]
        if len(different) > 1:
            found.append(f"the {what} differ: {', '.join(different[:4])}{' …' if len(different) > 4 else ''}")
    return found


def is_closed(run: MeasuredRun) -> bool:
    """Return whether a load of the run is by users, so that its rate depends on the target."""
    return any(_USERS.search(load) for _, load in run.header.loads)


def _first(run: MeasuredRun) -> str:
    return run.report.reasons[0] if run.report.reasons else "its figures cannot be trusted"


def _differences(one: MeasuredRun, other: MeasuredRun) -> Iterator[str]:
    """Yield how load and phases of two runs differ."""
    names = f"{one.name} and {other.name}"
    loads, others = dict(one.header.loads), dict(other.header.loads)
    if loads.keys() != others.keys():
        yield f"{names} have other scenarios: {', '.join(loads) or 'none'}; {', '.join(others) or 'none'}"
        return
    cut = any(run.report.aborted is not None or not run.report.finished for run in (one, other))
    if one.phases != other.phases and not cut:
        yield f"{names} have other phases: {_phases(one)}; {_phases(other)}"
        return
    if one.phase is None and not cut and any(abs(a - b) > TOLERANCE for a, b in _shares(one, other)):
        yield f"{names} have phases of other lengths: compare one with --phase"
        return
    for label, load in loads.items():
        if load != others[label] and (_USERS.search(load) or _USERS.search(others[label])):
            yield f"{names} have another load for {label}: {load}; {others[label]}"
        elif not _USERS.search(load) and (load != others[label] or _same_course(one, other)):
            yield from _rates(one, other, label, same=load == others[label])


def _rates(one: MeasuredRun, other: MeasuredRun, label: str, *, same: bool) -> Iterator[str]:
    """Yield how the planned visits a second differ; chance decides them where the arrivals of a load are random."""
    planned = [sum(n.planned for name, n in run.report.ledger.items() if _is_of(name, label)) for run in (one, other)]
    spans = [run.report.due.get(label, run.report.duration) for run in (one, other)]
    if min(planned) == 0 or min(spans) <= 0:
        return
    rates = [number / span for number, span in zip(planned, spans, strict=True)]
    chance = 3 * math.sqrt(sum(1 / number for number in planned)) if same else 0.0
    if max(rates) / min(rates) - 1 > max(TOLERANCE, chance):
        yield (
            f"{one.name} and {other.name} have another load for {label}:"
            f" {rates[0]:.1f}/s and {rates[1]:.1f}/s were planned"
        )


def _is_of(name: str, label: str) -> bool:
    return name == label or name.startswith(f"{label}/")


def _shares(one: MeasuredRun, other: MeasuredRun, *, warm_up: bool = False) -> list[tuple[float, float]]:
    """Return the share of each phase in both runs, with *warm_up* that of the warm-up too."""
    places = {place for run in (one, other) for place in run.report.phases if warm_up or place[1] != WARM_UP}
    spans = [[run.report.phases.get(place, 0.0) for place in sorted(places)] for run in (one, other)]
    totals = [math.fsum(each) or 1.0 for each in spans]
    return [(a / totals[0], b / totals[1]) for a, b in zip(*spans, strict=True)]


def _same_course(one: MeasuredRun, other: MeasuredRun) -> bool:
    """Return whether the phases of both runs have the same shares of them, so that their mean rates can be compared."""
    return all(abs(a - b) <= TOLERANCE for a, b in _shares(one, other, warm_up=True))


def _phases(run: MeasuredRun) -> str:
    return ", ".join(sorted(run.phases)) or "none"
