"""Names in limits that, as far as a plan can show, nothing in the run will have."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches

from chaperon.report.limits.limits import Limit


def unknown_names(
    limits: Sequence[Limit], steps: Collection[str], labels: Collection[str], phases: Collection[str]
) -> Iterator[str]:
    """Yield a sentence for each limit on a step, a scenario or a phase that is not among the names given.

    Names of requests, checks and other series are known only when a run has them.
    """
    for limit in limits:
        literal, last = (limit.readings or (limit.selection,))[0].series or "", limit.selection
        series = last.series or ""
        if series.startswith("step ") and not {literal.removeprefix("step "), series.removeprefix("step ")} & {*steps}:
            yield _sentence(limit, "step", series.removeprefix("step "), steps)
        if series.startswith("visit ") and not _is_label(series.removeprefix("visit "), labels):
            yield _sentence(limit, "scenario", series.removeprefix("visit "), labels)
        if last.scenario is not None and not _is_label(last.scenario, labels):
            yield _sentence(limit, "scenario", last.scenario, labels)
        if limit.during is not None and not any(f"{phase} ".startswith(f"{limit.during} ") for phase in phases):
            yield _sentence(limit, "phase", limit.during, phases)


def _is_label(name: str, labels: Collection[str]) -> bool:
    """Return whether *name* is a label, or that of a scenario nested in it: "shop/search"."""
    return any(f"{name}/".startswith(f"{label}/") for label in labels)


def _sentence(limit: Limit, what: str, name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, sorted(known), 3, 0.5)
    there = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(known))}"
    return f"limit {limit.text}: there is no {what} {name!r} so far as the scenario file shows; {there}"
