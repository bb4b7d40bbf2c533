"""The feed of a page: the state of the run it shows, and a message a second to all who look at it."""

from __future__ import annotations

import json
import secrets
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gevent.lock import BoundedSemaphore

from chaperon.clock import Clock, today
from chaperon.live_page.state import LiveState
from chaperon.live_page.viewers import MOST, Viewer
from chaperon.report.outputs.closed_second import ClosedSecond
from chaperon.report.outputs.output import PlannedRun
from chaperon.report.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = 60
"""Messages kept for viewers that come back."""
INTEREST = 15.0
"""Seconds for which messages are made after the last request, although no viewer is connected."""
WORK, REST = 0.001, 0.001
"""Seconds that the page computes at once, and seconds in which others run before it goes on."""
FRESH, ROWS = 5, 64
"""Messages after which an opened row is computed again, and most rows that are kept."""
DRAIN = 3.0
"""Seconds that viewers have at the end to read what is queued."""
Values = dict[str, Any]


class PageFeed:
    """Shows one run after another to all viewers. *clock* measures how long ago the last request was."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._state: LiveState | None = None
        self._run = ""
        self._number = 0
        self._recent: deque[tuple[int, str]] = deque(maxlen=KEPT)
        self._viewers: set[Viewer] = set()
        self._wanted_until = 0.0
        self._breathed = 0.0
        self._cached: tuple[str, int, bytes] | None = None
        self._rows: dict[tuple[str, bool, str, str, str], tuple[int, bytes]] = {}
        self.computing = BoundedSemaphore(1)
        self._final = False

    def __repr__(self) -> str:
        return f"<PageFeed to {len(self._viewers)} viewers at message {self._number}>"

    @property
    def plan(self) -> PlannedRun | None:
        """The run that is shown; None before the first."""
        return None if self._state is None else self._state.plan

    @property
    def viewers(self) -> frozenset[Viewer]:
        """Those who look at it now."""
        return frozenset(self._viewers)

    @property
    def ended(self) -> bool:
        """Whether the run that is shown has its final report."""
        return self._final

    def begin(self, plan: PlannedRun) -> None:
        """Show a new run, which is about to start."""
        self._state = LiveState(plan, today(), self.breathe)
        self._run, self._final = secrets.token_hex(8), False
        self._recent.clear()
        self._publish({"reload": True})

    def second(self, second: ClosedSecond) -> None:
        """Add the next second and tell all viewers what changed."""
        state = self._state
        if state is None:
            return
        before = state.length
        state.add(second)
        if not self._viewers and self._clock.now() > self._wanted_until:
            self._number += 1  # who comes back has missed something
            self._recent.clear()
        elif state.length != before:
            self._publish({"reload": True})
        else:
            self._publish(state.message(second))

    def late(self, second: ClosedSecond) -> None:
        """Add what came late for a second; viewers get it with the next one."""
        if self._state is not None:
            self._state.late(second)

    def finish(self, report: Report) -> None:
        """Show the final report; viewers get all of it. Blocks for at most `DRAIN` seconds, until they have it."""
        if self._state is None:
            return
        self._state.finish(report)
        self._final = True
        self._number += 1
        self._recent.clear()  # who asks once a second is sent to the whole state
        if self._viewers:
            text = self._text({"final": self._state.payload()})
            for viewer in list(self._viewers):
                viewer.put(text)
            self._drain()

    def close(self) -> None:
        """Tell all viewers that the process ends, and disconnect them. Blocks for at most `DRAIN` seconds."""
        self._publish({"closing": True})
        for viewer in list(self._viewers):
            viewer.close()
        self._drain()

    def state(self) -> bytes:
        """Return the state as JSON, with its number; computed once a message for all who ask. Blocks meanwhile."""
        self._wanted_until = self._clock.now() + INTEREST
        with self.computing:
            known = self._cached
            if known is not None and known[:2] == (self._run, self._number):
                return known[2]
            run, number = self._run, self._number
            values: Values = {"run": run, "n": number}
            if self._state is not None:
                values["payload"] = self._state.payload()
            encoded = _encoded(values, self.breathe)
            self._cached = run, number, encoded
            return encoded

    def opened(self, scenario: str, name: str, kind: str) -> bytes:
        """Return what an opened row shows as JSON; see `LiveState.opened`. Blocks while others are computed.

        It is computed once in `FRESH` messages for all who ask.
        """
        self._wanted_until = self._clock.now() + INTEREST
        if self._state is None:
            return _json({"row": None, "histograms": []})
        with self.computing:
            asked = (self._run, self._final, scenario, name, kind)
            number, known = self._rows.get(asked, (-FRESH, b""))
            if self._number - number >= FRESH:
                if len(self._rows) >= ROWS:
                    self._rows.clear()
                number, known = self._number, _json(self._state.opened(scenario, name, kind))
                self._rows[asked] = number, known
            return known

    def since(self, run: str, number: int) -> list[str] | None:
        """Return the messages after *number* of a run, None if they are not kept any more."""
        self._wanted_until = self._clock.now() + INTEREST
        if run != self._run or number > self._number:
            return None
        found = [text for n, text in self._recent if n > number]
        return found if len(found) == self._number - number else None

    @contextmanager
    def viewing(self, viewer: Viewer, run: str, number: int) -> Iterator[bool]:
        """Let *viewer* have all messages after *number* while the block runs; False if there are too many viewers."""
        if len(self._viewers) >= MOST:
            yield False
            return
        missed = self.since(run, number)
        for text in [self._text({"reload": True})] if missed is None else missed:
            viewer.put(text)
        self._viewers.add(viewer)
        try:
            yield True
        finally:
            self._viewers.discard(viewer)

    def _publish(self, values: Values) -> None:
        self._number += 1
        text = self._text(values)
        self._recent.append((self._number, text))
        for viewer in list(self._viewers):
            viewer.put(text)

    def _text(self, values: Values) -> str:
        return json.dumps({"run": self._run, "n": self._number, **values}, allow_nan=False, separators=(",", ":"))

    def _drain(self) -> None:
        until = self._clock.now() + DRAIN
        while not all(viewer.idle for viewer in self._viewers) and self._clock.now() < until:
            self._clock.sleep(0.01)

    def breathe(self) -> None:
        """Let others run while the load goes on, if they have waited for `WORK` seconds."""
        if not self._final and self._clock.now() - self._breathed >= WORK:
            self._clock.sleep(REST)
            self._breathed = self._clock.now()


def _encoded(values: Values, breathe: Callable[[], object]) -> bytes:
    """Return *values* as JSON; a large mapping in it is encoded part by part, so that others can run."""
    payload = values.get("payload")
    if payload is None:
        return _json(values)
    head = _json({name: each for name, each in values.items() if name != "payload"})
    parts = []
    for name, each in payload.items():
        if name == "series":
            columns = []
            for place, series in each.items():
                columns.append(_json(place) + b":" + _json(series))
                breathe()
            parts.append(_json(name) + b":{" + b",".join(columns) + b"}")
        else:
            parts.append(_json(name) + b":" + _json(each))
            breathe()
    return head[:-1] + b',"payload":{' + b",".join(parts) + b"}}"


def _json(value: object) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
