"""What a person or the system does to end a run: Ctrl-C once, twice, SIGTERM, a terminal that is closed."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

import gevent

from chaperon.cli.terminal.streams import say
from chaperon.errors import Interrupted
from chaperon.interrupts import marked

if TYPE_CHECKING:
    from chaperon.cluster.master.cluster_run import ClusterRun
    from chaperon.execution.running import Running

    Run = Running | ClusterRun  # by this process or by many

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}


@contextmanager
def handle_signals(running: Run) -> Iterator[None]:
    """Let signals end *running* in order, as long as the block lasts.

    The first lets visits end, the second interrupts them. The third is raised wherever the
    process is, for a visit that computes for ever lets nobody else run: in a greenlet as
    Interrupted, else as KeyboardInterrupt.
    """
    loop = gevent.get_hub().loop
    asked = 0

    def heard(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        name = NAMES[signal.Signals(number)]
        if asked > 2:
            running.kill(f"ended at once by {name}")
            within = isinstance(gevent.getcurrent(), gevent.Greenlet)
            raise marked(Interrupted(name) if within else KeyboardInterrupt())
        # what is printed must not fall into the middle of another print: leave it to the hub
        loop.run_callback_threadsafe(_end, running, asked, name)

    with _handled(heard):
        yield


@contextmanager
def interruptible_setup() -> Iterator[None]:
    """Raise signals as KeyboardInterrupt in this greenlet, where a run is being set up in the block."""
    me, hub = gevent.getcurrent(), gevent.get_hub()

    def heard(number: int, frame: FrameType | None) -> None:
        if gevent.getcurrent() is me:
            raise marked(KeyboardInterrupt())
        hub.loop.run_callback_threadsafe(me.throw, marked(KeyboardInterrupt()))  # elsewhere it would only be printed

    with _handled(heard):
        yield


@contextmanager
def defer_signals() -> Iterator[None]:
    """Let the block come to its end before signals are heeded; only the third in it is."""
    asked = 0

    def heard(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if asked > 2:
            raise marked(KeyboardInterrupt())

    with _handled(heard):
        yield


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    deaf = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # so nohup wants it
    heeded = [number for number in NAMES if not (deaf and number is signal.SIGHUP)]
    before = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)


def _end(running: Run, asked: int, name: str) -> None:
    if asked == 1:
        running.stop(f"ended early by {name}")
        _say(f"{name}: visits in flight have {running.grace:g} s to end; once more ends them now")
    else:
        running.kill(f"ended at once by {name}")
        _say(f"{name}: visits in flight are interrupted")


def _say(line: str) -> None:
    with suppress(OSError, ValueError):  # nobody reads it any more: the run ends all the same
        say(line, err=True)
