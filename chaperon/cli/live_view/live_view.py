"""The live view of a run: drawn once a second on a terminal, with keys that change the load."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event
from gevent.socket import wait_read

from chaperon.cli.live_view.controls import Controls
from chaperon.cli.live_view.job_signals import job_signals
from chaperon.cli.live_view.keyboard import Keyboard, is_foreground
from chaperon.cli.live_view.layout import BUSIEST, view_lines
from chaperon.cli.live_view.recent_series import RecentSeries
from chaperon.cli.live_view.screen import OFTEN, Screen, StreamAbove, Terminal
from chaperon.cli.live_view.view_state import ViewState
from chaperon.cli.terminal.clean_stream import unwrapped
from chaperon.cli.terminal.standard_streams import standard_streams_cleaned
from chaperon.clock import HubClock
from chaperon.load.background import Watched, spawn_watched

if TYPE_CHECKING:
    from chaperon.execution.run import Run
    from chaperon.report.outputs.output import Output

EVERY = 1.0
"""Seconds between two drawings; a key or a change of the window's size is followed by one at once."""
LATE = 0.25
"""Seconds by which the hub may be late: a drawing that is later is left out."""
PACE = 0.2
"""Seconds between two reads of the keyboard: what is typed meanwhile is applied together."""
ANSWERED = 5.0
"""Seconds for which the answer to a key is shown."""


class LiveView:
    """Shows *running* on the terminal that standard error is, and reads keys if standard input is one, in a block.

    *outputs* are those of the run: their notices are shown. What is printed meanwhile goes above the view.
    However the block is left, the terminal is as it was before.
    """

    def __init__(self, running: Run, outputs: Sequence[Output] = ()) -> None:
        self._running = running
        self._outputs = outputs
        self._clock = HubClock()
        self._series = RecentSeries()
        self._controls = Controls(running)
        self._terminal = Terminal(unwrapped(sys.stderr))
        self._screen = Screen(self._terminal, self._clock.now)
        self._keyboard = Keyboard(sys.stdin)
        self._wake = Event()
        self._answered = 0.0
        self._greenlets: list[Watched] = []
        self._stack = ExitStack()
        self._visits = _planned_visits(running)

    def __repr__(self) -> str:
        return f"<LiveView of {self._running}>"

    def __enter__(self) -> LiveView:
        hub = gevent.get_hub()

        def rouse() -> None:
            hub.loop.run_callback_threadsafe(self._wake.set)

        self._running.listen(self._series.add)
        with self._stack:
            self._stack.callback(self._restore)
            self._stack.enter_context(job_signals(restore=self._restore, return_to=self._return, resized=rouse))
            self._stack.enter_context(self._printing_above())
            self._keyboard.enter()
            self._stack = self._stack.pop_all()
        works: dict[str, Callable[[], None]] = {"the live view": self._draw_until_closed}
        if self._keyboard.fd is not None:
            works["the keys"] = self._read_keys
        for name, work in works.items():
            self._greenlets.append(spawn_watched(name, work, on_fault=self._running.fault, ends=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        # the terminal first: a run that was ended at once may have a visit that blocks the hub
        self._stack.close()
        for greenlet in self._greenlets:
            greenlet.kill(block=exc is None)

    def _restore(self) -> None:
        with suppress(OSError, ValueError):
            self._screen.hide()
        self._keyboard.leave()

    def _return(self) -> None:
        """Use the terminal again after a stop, if the process is in its foreground now."""
        self._screen.forget()
        self._keyboard.forget()
        gevent.get_hub().loop.run_callback_threadsafe(self._wake.set)

    @contextmanager
    def _printing_above(self) -> Iterator[None]:
        """Print what is written to this terminal above the view."""
        before = sys.stdout, sys.stderr
        above = [StreamAbove(unwrapped(sys.stderr), self._screen)]
        sys.stderr = above[0]
        if sys.stdout is not None and _same_terminal(before[0], before[1]):
            above.append(StreamAbove(unwrapped(before[0]), self._screen))
            sys.stdout = above[1]
        try:
            with standard_streams_cleaned():
                yield
        finally:
            for stream in above:
                stream.close_line()
            sys.stdout, sys.stderr = before

    def _draw_until_closed(self) -> None:
        """Draw until the terminal is closed, which is no error."""
        with suppress(OSError):
            self._draw_always()

    def _draw_always(self) -> None:
        due = self._clock.now()
        while True:
            late = self._clock.now() - due
            asked = self._wake.is_set()
            self._wake.clear()
            if asked or late >= 0.0:
                if (asked or late < LATE) and self._may_draw():
                    columns, lines = self._terminal.size
                    self._screen.draw(view_lines(self._state(), columns - 1, lines - 1))
                if late >= 0.0:
                    due += late + EVERY
                gevent.sleep(OFTEN)  # a held key, or a window that is being resized, asks without end
            self._screen.redraw()
            left = max(due - self._clock.now(), 0.0)
            self._wake.wait(min(left, OFTEN) if self._screen.shown else left)

    def _may_draw(self) -> bool:
        """Return whether the terminal is ours and accepts output; after a return to it, read keys again."""
        if not is_foreground(self._terminal.fd):
            self._keyboard.forget()
            self._screen.forget()
            return False
        self._keyboard.enter()
        return self._terminal.writable

    def _state(self) -> ViewState:
        running, controls = self._running, self._controls
        if self._clock.now() - self._answered > ANSWERED:
            controls.answer = ""
        return ViewState(
            name=running.plan.name,
            plan=running.target,
            pulse=running.pulse(),
            length=running.plan.length,
            visits=self._visits,
            levels=running.levels,
            factor=running.factor,
            paused=running.paused,
            series=self._series.busiest(BUSIEST),
            known=self._series.known,
            errors=self._series.errors(),
            workers=running.crew,
            events=self._series.events(),
            notices={label: text for output in self._outputs for label, text in output.notices.items()},
            keys=self._keyboard.active,
            page=controls.page,
            answer=controls.answer,
        )

    def _read_keys(self) -> None:
        fd = self._keyboard.fd
        assert fd is not None
        while True:
            if not self._keyboard.active:  # in the background another process reads what is typed
                gevent.sleep(EVERY)
                continue
            try:
                wait_read(fd)
            except OSError:
                return
            if self._keyboard.active and is_foreground(fd):
                typed = self._keyboard.read()
                if typed is None:
                    return
                if not self._running.ended and self._controls.press(typed):
                    self._answered = self._clock.now()
                    self._wake.set()
            gevent.sleep(PACE)


def _same_terminal(one: object, other: object) -> bool:
    """Return whether two streams are one terminal."""
    try:
        return one.isatty() and os.fstat(one.fileno()).st_rdev == os.fstat(other.fileno()).st_rdev  # type: ignore[attr-defined]
    except (OSError, ValueError, AttributeError):
        return False


def _planned_visits(running: Run) -> int | None:
    """Return how many visits a run makes whose end is not known in seconds; None where that is not known either."""
    if running.plan.length is not None:
        return None
    loads = [leg.load for entry in running.plan.entries for leg in entry.load.legs]
    planned = [load.planned(seed=running.plan.seed) if load.has_plan else None for load in loads]
    known = [number for number in planned if number is not None]
    return sum(known) if len(known) == len(planned) else None
