"""Exceptions of greenlets that a scenario spawned without its session: printed, not raised in the main greenlet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import gevent

from chaperon.interrupts import is_interrupt


@contextmanager
def stray_errors_contained() -> Iterator[None]:
    """Print system errors raised in greenlets and callbacks of the scenario, instead of raising them here.

    gevent raises SystemExit, KeyboardInterrupt and SystemError of any greenlet in the main greenlet, where
    `sys.exit(0)` would end the run without a report. In the block they are printed like other
    exceptions of such greenlets. Signals and interrupts by Chaperon still reach the main greenlet.
    """
    hub: Any = gevent.get_hub()
    handle = hub.handle_error

    def contain(
        context: object, kind: type[BaseException], exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        stray = context is not None and issubclass(kind, hub.SYSTEM_ERROR)
        if stray and not (isinstance(exc, BaseException) and is_interrupt(exc)):
            hub.print_exception(context, kind, exc, trace)
        else:
            handle(context, kind, exc, trace)

    hub.handle_error = contain
    try:
        yield
    finally:
        del hub.handle_error
