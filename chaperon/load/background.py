"""Background greenlets of a run: an unexpected end of one is reported at once as a fault of Chaperon."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent

from chaperon.interrupts import is_ours, is_signal
from chaperon.measure.exception_text import describe

OnFault = Callable[[str], object]
"""Called with the text of a fault of Chaperon, which becomes a reason of the run. Must not block."""


class Watched(gevent.Greenlet):  # type: ignore[type-arg]  # the type parameter is the result, which nothing uses
    """A greenlet started by `spawn_watched`. Any end except by `kill` or an interrupt is a fault."""

    def __init__(self, what: str, work: Callable[..., object], args: tuple[Any, ...], on_fault: OnFault, ends: bool):
        super().__init__()
        self._what = what
        self._work = work
        self._work_args = args
        self._on_fault = on_fault
        self._ends = ends
        self._killed = False

    def __repr__(self) -> str:
        return f"<Watched {self._what}>"

    def kill(self, *args: Any, **kwargs: Any) -> Any:
        """End the greenlet without a fault. Parameters and blocking are as for `gevent.Greenlet.kill`."""
        self._killed = True
        return super().kill(*args, **kwargs)

    def _run(self) -> None:
        try:
            self._work(*self._work_args)
            if not (self._ends or self._killed):
                raise RuntimeError("it returned before its end was asked for")
        except BaseException as exc:
            if is_ours(exc) or (self._killed and isinstance(exc, gevent.GreenletExit)):
                return
            if is_signal(exc):  # a signal asks the process to end
                raise
            text = fault_text(self._what, exc)
            say_fault(text, exc)
            self._on_fault(text)


def spawn_watched(
    what: str, work: Callable[..., object], *args: object, on_fault: OnFault, ends: bool = False
) -> Watched:
    """Start *work* in a new greenlet and return it. An exception it raises is a fault of Chaperon.

    The fault is written to standard error with its traceback, then *on_fault* is called in the
    failing greenlet. *what* names the work in the message: "cutting windows". A return is a fault
    as well, unless *ends* is true. To end the greenlet without a fault, call its `kill`, not
    `gevent.killall`. Interrupts (`chaperon.interrupts`) are no faults; they end the run themselves.
    """
    greenlet = Watched(what, work, args, on_fault, ends)
    greenlet.start()
    return greenlet


def fault_text(what: str, exc: BaseException) -> str:
    """Return the text of a fault of Chaperon, for the reasons of a run. *what* names the work that failed."""
    return f"a fault of Chaperon's own in {what}: {describe(exc)}"


def say_fault(text: str, exc: BaseException) -> None:
    """Write a fault of Chaperon to standard error with its traceback."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):  # standard error may be closed; the run is INVALID anyway
            lines = "".join(traceback.format_exception(exc))
            sys.stderr.write(f"chaperon: {text}\n{lines}")
            sys.stderr.flush()
