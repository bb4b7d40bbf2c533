"""The progress line: redrawn on a terminal, now and then a plain line in a pipe."""

from __future__ import annotations

import sys
from types import TracebackType

import gevent
from rich.console import Console
from rich.live import Live as Screen
from rich.text import Text

from chaperon.report.text import pulse_line
from chaperon.script.running import Running

REDRAW = 0.5
PLAIN = 5.0


class Live:
    """Shows how *running* is doing, as long as the block lasts."""

    def __init__(self, running: Running, *, shown: bool = True) -> None:
        self._running = running
        self._shown = shown
        self._greenlet: gevent.Greenlet[..., object] | None = None

    def __enter__(self) -> Live:
        if self._shown:
            self._greenlet = gevent.spawn(self._redraw if sys.stdout.isatty() else self._plain)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()

    def _line(self) -> str:
        return pulse_line(self._running.pulse(), self._running.target)

    def _redraw(self) -> None:
        # prints of the scenario go through the console, so that they scroll above the line
        with Screen(console=Console(), auto_refresh=False, transient=True, redirect_stderr=False) as screen:
            while True:
                screen.update(Text(self._line(), no_wrap=True, overflow="ellipsis"), refresh=True)
                gevent.sleep(REDRAW)

    def _plain(self) -> None:
        while True:
            gevent.sleep(PLAIN)
            print(self._line(), file=sys.stderr, flush=True)
