"""The progress line: redrawn on a terminal, a plain line every few seconds in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

import gevent

from chaperon.cli.terminal.closed_stream import is_closed
from chaperon.cli.terminal.lines import print_line
from chaperon.cli.terminal.live_line import live_lines
from chaperon.cli.terminal.standard_streams import standard_streams_cleaned
from chaperon.load.background import Watched, spawn_watched
from chaperon.report.worker_table import worker_lines

if TYPE_CHECKING:
    from rich.live import Live as Screen

    from chaperon.execution.run import Run

REDRAW = 0.5
PLAIN = 5.0


class ProgressLine:
    """Shows the progress of *running* on standard error while the block runs: *redrawn* in place, or line by line."""

    def __init__(self, running: Run, *, redrawn: bool = False) -> None:
        self._running = running
        self._redrawn = redrawn
        self._greenlet: Watched | None = None
        self._screen: Screen | None = None

    def __enter__(self) -> ProgressLine:
        if not is_closed(sys.stderr):
            self._greenlet = spawn_watched(
                "the progress line",
                self._run_until_closed,
                self._redraw if self._redrawn else self._plain,
                on_fault=self._running.fault,
                ends=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._greenlet is None:
            return
        # a run that was ended at once may have a visit that blocks the hub: do not wait for it
        self._greenlet.kill(block=exc is None)
        if exc is not None and self._screen is not None:
            with suppress(OSError, ValueError):
                self._screen.stop()  # it has hidden the cursor

    @staticmethod
    def _run_until_closed(show: Callable[..., None], *args: object) -> None:
        """Call *show* until the terminal is closed, which is no error."""
        try:
            show(*args)
        except OSError:
            pass
        except ValueError:  # raised for a closed stream, or by an error of Chaperon
            if not sys.stderr.closed:
                raise

    def _lines(self, width: int | None = None) -> list[str]:
        running = self._running
        encoding = getattr(sys.stderr, "encoding", None)
        return live_lines(running.pulse(), running.target, length=running.plan.length, width=width, encoding=encoding)

    def _redraw(self) -> None:
        from rich.console import Group  # late: a pipe needs no tables
        from rich.live import Live as Screen
        from rich.text import Text

        from chaperon.cli.terminal.console import CleanConsole

        console = CleanConsole(sys.stderr)
        # Rich prints what is written to this terminal above the line
        on_stdout = sys.stdout is not None and sys.stdout.isatty()
        with (
            Screen(console=console, auto_refresh=False, transient=True, redirect_stdout=on_stdout) as screen,
            standard_streams_cleaned(),  # wraps the streams of Rich, which split a text at line breaks
        ):
            self._screen = screen
            while True:
                crew = worker_lines(self._running.crew, now=True)
                lines = [Text(line, no_wrap=True, overflow="ellipsis") for line in (*self._lines(console.width), *crew)]
                screen.update(Group(*lines), refresh=True)
                gevent.sleep(REDRAW)

    def _plain(self) -> None:
        while True:
            gevent.sleep(PLAIN)
            print_line(*self._lines(), err=True)
