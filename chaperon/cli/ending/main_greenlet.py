"""Interrupting the main greenlet, which waits for the end of a run, from any other."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import gevent

from chaperon.interrupts import marked


def raise_in(main: Any, reason: str) -> None:
    """Raise KeyboardInterrupt in the main greenlet; if another one called this, it is not resumed."""
    interrupt = marked(KeyboardInterrupt(reason))
    if gevent.getcurrent() in (main, gevent.get_hub()):
        raise interrupt  # by the hub in the main greenlet
    with suppress(BaseException):
        main.throw(interrupt)
    while True:
        with suppress(BaseException):  # an exception raised here would let the blocking code go on
            gevent.get_hub().switch()
