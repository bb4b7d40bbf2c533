"""Handlers of Ctrl-C, SIGTERM and SIGHUP: before a run sends load, while it does, and while it is finished."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any

import gevent

from chaperon.author_frames import blocking_line
from chaperon.cli.ending.main_greenlet import raise_in
from chaperon.cli.terminal.lines import print_line
from chaperon.clock import HubClock
from chaperon.interrupts import is_ours, marked

if TYPE_CHECKING:
    from chaperon.execution.run import Run

BLOCKED = 0.3
"""Seconds after the first signal from which a hub that has not handled it counts as blocked."""
NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}


@contextmanager
def handle_signals(running: Run) -> Iterator[None]:
    """End *running* by signals while the block runs: the first stops it, the second interrupts its visits.

    The third ends it at once: visits in flight are counted as interrupted, and KeyboardInterrupt is raised in
    this greenlet, which must be the main one. So does the second if the hub has not run since the first, because
    some code never lets another greenlet run. That code is not resumed.
    """
    main, hub, clock = gevent.getcurrent(), gevent.get_hub(), HubClock()
    count, waiting, first_at = 0, 0, 0.0

    def in_hub(nth: int, name: str) -> None:
        nonlocal waiting
        waiting -= 1
        if not running.ended:
            _end_run(running, nth, name)

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal count, waiting, first_at
        count += 1
        name = NAMES[signal.Signals(number)]
        first_at = first_at if count > 1 else clock.now()
        blocked = waiting > 0 and clock.now() - first_at >= BLOCKED and gevent.getcurrent() not in (main, hub)
        if count > 2 or blocked:
            where = f"; it was blocked at {blocking_line(frame)}" if blocked and frame is not None else ""
            interrupt(f"ended at once by {name}{where}", abandon=gevent.getcurrent() is not hub)
        else:
            waiting += 1
            # printed by the hub: a signal may arrive in the middle of another print
            hub.loop.run_callback_threadsafe(in_hub, count, name)

    with _interrupting(main) as interrupt, _handler_installed(on_signal):
        try:
            yield
        except KeyboardInterrupt as exc:
            if is_ours(exc):
                running.end_now(str(exc))
                _print(str(exc))
                _print("visits in flight count as interrupted")
            raise


@contextmanager
def interruptible_setup(*, even_ignored: bool = True) -> Iterator[None]:
    """Raise signals as KeyboardInterrupt in this greenlet, which sets up a run in the block; its text names the signal.

    A signal that this process ignores stays ignored unless *even_ignored*, SIGHUP always.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        interrupt(f"ended by {NAMES[signal.Signals(number)]}")

    with _interrupting(gevent.getcurrent()) as interrupt, _handler_installed(on_signal, even_ignored=even_ignored):
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
def _interrupting(main: Any) -> Iterator[Callable[..., None]]:
    """Give a function that raises KeyboardInterrupt with a text in *main* while the block runs.

    It is called by signal handlers, in any greenlet that they interrupt. An exception raised there would end that
    greenlet, or a callback of the hub, and be printed: it is thrown by the hub instead, or at once with *abandon*,
    where the greenlet is not resumed. Signals that follow within `BLOCKED` are the same wish. If the hub has not
    thrown it by then, it is raised in the hub.
    """
    hub, clock, over, thrown = gevent.get_hub(), HubClock(), False, True
    last: float | None = None

    def throw(interrupt: KeyboardInterrupt) -> None:
        nonlocal thrown
        thrown = True
        if not over:
            main.throw(interrupt)

    def interrupt(text: str, *, abandon: bool = False) -> None:
        nonlocal last, thrown
        now = clock.now()
        if last is not None and now - last < BLOCKED:
            return
        last = now
        current = gevent.getcurrent()
        if current is main or abandon or (current is hub and not thrown):
            raise_in(main, text)
        else:
            thrown = False
            hub.loop.run_callback_threadsafe(throw, marked(KeyboardInterrupt(text)))

    try:
        yield interrupt
    finally:
        over = True


@contextmanager
def _handler_installed(
    handler: Callable[[int, FrameType | None], None], *, even_ignored: bool = True
) -> Iterator[None]:
    ignored = [number for number in NAMES if signal.getsignal(number) is signal.SIG_IGN]  # SIGHUP: set by nohup
    handled_signals = [
        number for number in NAMES if number not in ignored or (even_ignored and number is not signal.SIGHUP)
    ]
    before = {number: signal.signal(number, handler) for number in handled_signals}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _end_run(running: Run, nth: int, name: str) -> None:
    if nth == 1:
        running.stop(f"ended early by {name}")
        _print(f"{name}: no further visit starts; running ones have {running.grace:g} s, once more ends them now")
    else:
        running.kill(f"ended at once by {name}")
        _print(f"{name}: running visits are interrupted; once more ends the run without waiting for them")


def _print(line: str) -> None:
    with suppress(OSError, ValueError):  # standard error is closed: the run ends nevertheless
        print_line(line, err=True)
