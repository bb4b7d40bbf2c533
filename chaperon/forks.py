"""A process that a scenario forks does not go on with the load of its parent.

The greenlets of the load exist in the child, too, and would make the same visits a second time, over the same
connections. So the child has a new event loop, which knows none of them, and the loads in it are ended.
"""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from typing import Any, NoReturn, Protocol
from weakref import WeakSet


class SendsLoad(Protocol):
    """A load that sends in this process."""

    def end_in_child(self) -> None:
        """End the load in a forked child: send, record and write nothing more. Must not switch greenlets."""


_loads: WeakSet[Any] = WeakSet()


def watch_forks(load: SendsLoad) -> None:
    """From now on, end *load* in each child that this process forks."""
    _loads.add(load)


def unwatch_forks(load: SendsLoad) -> None:
    """Let forked children go on with *load*: it has ended."""
    _loads.discard(load)


def end_child(exc: BaseException | None) -> NoReturn:
    """End a forked child whose code has returned to the load, or raised *exc*, as Python would end its main program."""
    code: object = 0
    if exc is not None:
        called = next((each for each in (exc, exc.__cause__) if isinstance(each, SystemExit)), None)
        code = 1 if called is None else called.code
        if called is None:
            traceback.print_exception(exc)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, full, or none
            stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _after_fork() -> None:
    if not _loads:
        return
    for load in list(_loads):
        load.end_in_child()
    _loads.clear()
    _replace_hub()


def _replace_hub() -> None:
    """Give the child a new event loop. Unless the main greenlet forked it, end it when that loop has nothing to do."""
    from gevent import get_hub, getcurrent  # late: importing chaperon must stay light
    from gevent._hub_local import get_hub_if_exists, set_hub
    from greenlet import greenlet

    old, forked = get_hub_if_exists(), getcurrent()
    if old is None:
        return
    old.loop.destroy()
    set_hub(None)  # type: ignore[arg-type]  # the next `get_hub` makes a new one
    if forked.parent is None:
        return
    hub: Any = get_hub()

    def last() -> None:
        with suppress(BaseException):  # LoopExit: no greenlet is left that could run
            forked.switch()
        end_child(None)

    after = greenlet(last, parent=old)
    after.switch()
    hub.parent, forked.parent = after, hub


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
