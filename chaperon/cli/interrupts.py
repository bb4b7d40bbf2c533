"""Signals that end a run: Ctrl-C (SIGINT), SIGTERM, SIGHUP."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

import gevent

from chaperon.cli.terminal.streams import print_line
from chaperon.errors import Interrupted
from chaperon.interrupts import marked

if TYPE_CHECKING:
    from chaperon.execution.run import Run

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}


@contextmanager
def handle_signals(running: Run) -> Iterator[None]:
    """End *running* by signals while the block runs: the first stops it, the second interrupts its visits.

    The third is raised in the code that runs at that moment, since an endless computation lets no other
    greenlet run: in a greenlet as Interrupted, otherwise as KeyboardInterrupt.
    """
    loop = gevent.get_hub().loop
    count = 0

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        name = NAMES[signal.Signals(number)]
        if count > 2:
            running.kill(f"ended at once by {name}")
            within = isinstance(gevent.getcurrent(), gevent.Greenlet)
            raise marked(Interrupted(name) if within else KeyboardInterrupt())
        # printed by the hub: a signal may arrive in the middle of another print
        loop.run_callback_threadsafe(_end_run, running, count, name)

    with _handler_installed(on_signal):
        yield


@contextmanager
def interruptible_setup() -> Iterator[None]:
    """Raise signals as KeyboardInterrupt in this greenlet, which sets up a run in the block."""
    me, hub = gevent.getcurrent(), gevent.get_hub()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if gevent.getcurrent() is me:
            raise marked(KeyboardInterrupt())
        # an exception raised in another greenlet would only be printed
        hub.loop.run_callback_threadsafe(me.throw, marked(KeyboardInterrupt()))

    with _handler_installed(on_signal):
        yield


@contextmanager
def defer_signals() -> Iterator[None]:
    """Ignore two signals, so that the block can end; raise the third as KeyboardInterrupt."""
    count = 0

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count > 2:
            raise marked(KeyboardInterrupt())

    with _handler_installed(on_signal):
        yield


@contextmanager
def _handler_installed(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # set by nohup
    handled_signals = [number for number in NAMES if not (ignored and number is signal.SIGHUP)]
    before = {number: signal.signal(number, handler) for number in handled_signals}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _end_run(running: Run, count: int, name: str) -> None:
    if count == 1:
        running.stop(f"ended early by {name}")
        _print(f"{name}: visits in flight have {running.grace:g} s to end; once more ends them now")
    else:
        running.kill(f"ended at once by {name}")
        _print(f"{name}: visits in flight are interrupted")


def _print(line: str) -> None:
    with suppress(OSError, ValueError):  # standard error is closed: the run ends nevertheless
        print_line(line, err=True)
