"""What a person or the system does to end a run: Ctrl-C once, twice, SIGTERM."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click
import gevent

from chaperon.script.running import Running

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


@contextmanager
def minded(running: Running) -> Iterator[None]:
    """Let signals end *running* in order, as long as the block lasts.

    The first lets visits end, the second interrupts them. The third raises KeyboardInterrupt
    wherever the process is, for a visit that computes for ever lets nobody else run.
    """
    loop = gevent.get_hub().loop
    asked = 0

    def heard(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        name = NAMES[signal.Signals(number)]
        if asked > 2:
            running.kill(f"ended at once by {name}")
            raise KeyboardInterrupt
        # what is printed must not fall into the middle of another print: leave it to the hub
        loop.run_callback_threadsafe(_end, running, asked, name)

    before = {number: signal.signal(number, heard) for number in NAMES}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(running: Running, asked: int, name: str) -> None:
    if asked == 1:
        running.stop(f"ended early by {name}")
        click.echo(f"{name}: visits in flight have {running.grace:g} s to end; once more ends them now", err=True)
    else:
        running.kill(f"ended at once by {name}")
        click.echo(f"{name}: visits in flight are interrupted", err=True)
