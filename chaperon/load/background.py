"""Greenlets that live as long as a run: the death of one is a fault of ours, said at once."""

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
"""Is told of a fault of ours, in words for the reasons of a run; must not block."""


class Watched(gevent.Greenlet):  # type: ignore[type-arg]  # what it returns is of no use to anybody
    """A greenlet started by `spawn_watched`: only `kill`, or an interrupt, ends it without a fault."""

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
        """End it, as `gevent.Greenlet.kill` does; this is no fault."""
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
            if is_signal(exc):  # the process is asked to end
                raise
            text = fault_text(self._what, exc)
            say_fault(text, exc)
            self._on_fault(text)


def spawn_watched(
    what: str, work: Callable[..., object], *args: object, on_fault: OnFault, ends: bool = False
) -> Watched:
    """Start *work* in a greenlet of its own and return it; whatever it dies of is a fault of ours.

    The fault is written to standard error with its traceback, then *on_fault* is called, in
    the greenlet that dies. *what* names the greenlet: "cutting windows". One that returns by
    itself has failed too, unless it *ends* in the usual course. Only its `kill` ends it
    without a fault, so `gevent.killall` is not for it, and an interrupt (`chaperon.interrupts`),
    which ends the run by itself.
    """
    greenlet = Watched(what, work, args, on_fault, ends)
    greenlet.start()
    return greenlet


def fault_text(what: str, exc: BaseException) -> str:
    """Return what a fault of ours is called among the reasons of a run."""
    return f"a fault of Chaperon's own in {what}: {describe(exc)}"


def say_fault(text: str, exc: BaseException) -> None:
    """Write a fault of ours to standard error, with its traceback: it must be seen though nobody asked."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):  # nobody reads it: the run is INVALID all the same
            lines = "".join(traceback.format_exception(exc))
            sys.stderr.write(f"chaperon: {text}\n{lines}")
            sys.stderr.flush()
