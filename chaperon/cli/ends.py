"""What a person or the system does to end a run: Ctrl-C once, twice, SIGTERM."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import click
import gevent

from chaperon.script.running import Running


@contextmanager
def minded(running: Running) -> Iterator[None]:
    """Let signals end *running* in order, as long as the block lasts."""
    asked = 0

    def end(name: str) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            click.echo(f"\n{name}: visits in flight have {running.grace:g} s; once more ends them now", err=True)
            running.stop(f"ended early by {name}")
        else:
            running.kill(f"ended at once by {name}")

    handlers = [
        gevent.signal_handler(signal.SIGINT, end, "Ctrl-C"),
        gevent.signal_handler(signal.SIGTERM, end, "SIGTERM"),
    ]
    try:
        yield
    finally:
        for handler in handlers:
            handler.cancel()
