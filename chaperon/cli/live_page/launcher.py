"""Starting runs from the page: a form made of an environment, its load drawn, one run after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gevent.event import Event

from chaperon.cli.options import RunOptions
from chaperon.cli.terminal.clean_text import clean_line
from chaperon.errors import ActionRefused, LimitError, LoadError, PlanError, UsageError
from chaperon.execution.environment import Environment
from chaperon.load.share import Share

POINTS = 120
"""Points of a drawn load."""
ENDLESS = 1.25
"""What is drawn of a load without an end in time: the span of its curve, times this."""
_FIELDS = ("load", "only", "limit")


class PageLauncher:
    """Makes runs of *environment* as the form of the page asks for them; *options* are those of the command line."""

    def __init__(self, environment: Environment, options: RunOptions) -> None:
        self._environment = environment
        self._options = options
        self._asked = Event()
        self._next: Environment | None = None
        self.busy = False
        self.failure = ""

    def __repr__(self) -> str:
        return f"<PageLauncher of {self._environment.name}{', busy' if self.busy else ''}>"

    def form(self) -> dict[str, Any]:
        """Return what the form shows: the entries with their loads, and the limits."""
        environment = self._environment
        entries = [
            {"label": clean_line(entry.label), "load": clean_line(str(entry.load))} for entry in environment.entries
        ]
        limits = [clean_line(each) for each in environment.limits]
        shown = {"name": clean_line(environment.name), "entries": entries, "limits": limits}
        return {**shown, "busy": self.busy, "failure": clean_line(self.failure)}

    def drawing(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Return the curve of each load: (seconds, level) pairs, with its unit and words. Raises ActionRefused."""
        shares = self._adapted(asked).shares()
        ends = [share.until for share in shares]
        length = None if None in ends else max((end or 0.0 for end in ends), default=0.0)
        return {"length": length, "loads": [_curve(share) for share in shares]}

    def start(self, asked: Mapping[str, Any]) -> str:
        """Ask for a run; return it in words. Raises ActionRefused for a load that is not valid, or during a run."""
        if self.busy:
            raise ActionRefused("409 Conflict", "a run is going on: stop it first")
        found = self._adapted(asked)
        self.busy, self._next, self.failure = True, found, ""
        self._asked.set()
        return clean_line(f"start {' + '.join(str(entry.load) for entry in found.entries)}")

    def wait(self) -> Environment:
        """Block until a run is asked for; return its environment. Call `done` when it has ended."""
        self._asked.wait()
        self._asked.clear()
        assert self._next is not None
        return self._next

    def done(self) -> None:
        """Accept the next run."""
        self.busy = False

    def _label(self, shown: str) -> str:
        """Return the label of the entry that the form shows as *shown*."""
        return {clean_line(entry.label): entry.label for entry in self._environment.entries}.get(shown, shown)

    def _adapted(self, asked: Mapping[str, Any]) -> Environment:
        values = {name: asked.get(name, "") for name in _FIELDS}
        if not all(isinstance(value, str) for value in values.values()):
            raise ActionRefused("400 Bad Request", f"{', '.join(_FIELDS)} are texts")
        limits = tuple(line.strip() for line in values["limit"].splitlines() if line.strip())
        given = replace(self._options, limits=(*self._options.limits, *limits))
        if values["load"].strip():
            given = replace(given, users=None, rate=None, iterations=None, ramp=None, hold=None, load=values["load"])
        try:
            found = replace(given, only=self._label(values["only"]) or given.only).apply_to(self._environment)
            found.plan()
        except (PlanError, UsageError, LimitError, LoadError) as exc:
            raise ActionRefused("400 Bad Request", clean_line(str(exc).partition("\n")[0])) from exc
        return found


def _curve(share: Share) -> dict[str, Any]:
    load = share.load
    span = load.until if load.until is not None else max(load.curve.segments[-1].at * ENDLESS, 1.0)
    moments = [span * n / POINTS for n in range(POINTS + 1)]
    points = [[share.at + at, load.curve.level(min(at, span * (1 - 1e-9)))] for at in moments]
    words = clean_line(load.describe(seed=share.source))
    return {"label": clean_line(share.label), "unit": load.unit, "words": words, "points": points}
