"""What a process that a scenario forks keeps of its parent's run: the code that forked it, and nothing of the run.

All greenlets of the run exist in the child, too; the same visits would be made a second time. So every event that could
wake one of them is stopped there, and the child ends as soon as the code that forked it returns to Chaperon.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn
from weakref import WeakMethod

from chaperon.interrupts import is_ours

_exit = os._exit  # here, for a run replaces it


EndInChild = Callable[[list[Any]], None]
"""A method that ends a part of a run in a forked child: it must not send anything or block.

It is given the objects that refer to the run's hub, among them its streams.
"""
forking_greenlet: Any = None
"""The greenlet that forked this process during a run, None in a process that was not forked by one."""
_parts: dict[WeakMethod[EndInChild], Any] = {}
"""The parts of the runs of this process, with the hub of each, None where gevent was not imported yet."""


def end_in_children(end: EndInChild) -> None:
    """From now on, call *end* in each child that this process forks, and end the child with the code that forked it."""
    _parts[WeakMethod(end, _forget)] = _hub()


def keep_in_children(end: EndInChild) -> None:
    """Undo `end_in_children`: that part of a run has ended."""
    _forget(WeakMethod(end))


def _forget(part: WeakMethod[EndInChild]) -> None:
    _parts.pop(part, None)


def _hub() -> Any:
    """Return the hub of this thread, None if it has none."""
    local: Any = sys.modules.get("gevent._hub_local")
    return None if local is None else local.get_hub_if_exists()


def in_child() -> bool:
    """Return whether a run's process forked this one."""
    return forking_greenlet is not None


def end_if_forking_greenlet(exc: BaseException | None = None) -> None:
    """End this process if the current greenlet forked it; *exc* is what its code has raised, None if it returned."""
    if forking_greenlet is not None:
        from gevent import getcurrent  # late: importing chaperon must stay light

        if getcurrent() is forking_greenlet:
            end_child(exc)


@contextmanager
def children_ended() -> Iterator[None]:
    """Run code of the author's in the block: a child that it forks ends where the block ends."""
    block = _Block()
    end_in_children(block.end_in_child)
    try:
        yield
    except BaseException as exc:
        end_if_forking_greenlet(exc)
        raise
    else:
        end_if_forking_greenlet()
    finally:
        keep_in_children(block.end_in_child)


class _Block:
    def end_in_child(self, objects: list[Any]) -> None:
        """A block of code has nothing to end."""


def end_child(exc: BaseException | None, *, print_it: bool = True) -> NoReturn:
    """End this forked process as Python would end its main program after *exc*: with 0, 1, or what `sys.exit` says."""
    code: object = 0
    if exc is not None:
        asked = next((each for each in (exc, exc.__cause__, exc.__context__) if isinstance(each, SystemExit)), None)
        code = 1 if asked is None else asked.code
        if asked is None and print_it:
            with suppress(Exception):  # standard error may be closed
                if is_ours(exc):
                    sys.stderr.write(f"chaperon: {exc}\n")
                else:
                    traceback.print_exception(exc)
    flush_streams()
    _exit(code if isinstance(code, int) else 0 if code is None else 1)


def _before_fork() -> None:
    """Write buffered text, which the child would write once more."""
    if _parts or in_child():
        flush_streams()


def flush_streams() -> None:
    """Write out what standard output and standard error still buffer."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, full, or none
            stream.flush()


def _after_fork() -> None:
    if not (_parts or in_child()) or _only_executes(sys._getframe(1)):
        return
    global forking_greenlet
    from gevent import getcurrent  # late: importing chaperon must stay light

    forking_greenlet = getcurrent()
    objects = _frozen_objects()
    _restore_signals()
    _stop_events(objects)
    for part in list(_parts):
        if (end := part()) is not None:
            end(objects)
    _end_with_greenlet()
    _end_with_pool_task(sys._getframe(1))


def _frozen_objects() -> list[Any]:
    """Return the objects that refer to a hub or its loop, and let the garbage collector collect nothing.

    Collecting a greenlet that will never run again would run its `finally` blocks. A list of all objects would be
    slow: it changes their reference counts, so that each page of the parent's memory is copied.
    """
    hubs = [hub for hub in {id(hub): hub for hub in (_hub(), *_parts.values())}.values() if hub is not None]
    enabled = gc.isenabled()
    gc.disable()
    gc.unfreeze()
    objects = gc.get_referrers(*hubs, *[hub.loop for hub in hubs])
    gc.freeze()
    if enabled:
        gc.enable()
    return objects


def _only_executes(frame: Any) -> bool:
    """Return whether gevent's `Popen` forks a child that only executes another program."""
    while frame is not None and frame.f_globals.get("__name__") in ("gevent.os", __name__):
        frame = frame.f_back
    return (
        frame is not None
        and frame.f_globals.get("__name__") == "gevent.subprocess"
        and frame.f_locals.get("preexec_fn", frame) is None
    )


def _restore_signals() -> None:
    """Let signals end the child: the handlers of the run would end only the run."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if getattr(signal.getsignal(number), "__module__", "").startswith("chaperon."):
            with suppress(ValueError):  # not in the main thread
                signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


def _stop_events(objects: list[Any]) -> None:
    """Stop all that could wake a greenlet of the parent; time limits of the greenlet that forked stay."""
    from gevent.hub import reinit

    hub = _hub()
    if hub is None:  # another thread than that of the run forked: the run's greenlets have no loop here
        return
    watcher: Any = next(each for each in type(hub.loop.timer(0)).__mro__ if each.__name__ == "watcher")
    reinit(hub)
    for callback in list(hub.loop._callbacks):
        callback.stop()
    for each in objects:
        if isinstance(each, watcher) and each.active and forking_greenlet not in (each.args or ()):
            each.stop()


def _end_with_greenlet() -> None:
    """End the child when the greenlet that forked it ends, or waits for what cannot come any more."""
    from gevent.exceptions import LoopExit
    from gevent.hub import Hub
    from greenlet import greenlet

    hub = _hub()
    if hub is None or forking_greenlet.parent is None:
        return

    class After(Hub):  # the parent of a gevent greenlet must be a hub
        def run(self, *_: object) -> None:
            end_child(getattr(forking_greenlet, "exception", None), print_it=False)  # gevent has printed it

    def guard() -> None:
        try:
            forking_greenlet.switch()
        except LoopExit:  # nothing is left that could run
            end_child(None)
        except BaseException as exc:  # `sys.exit` in a greenlet, for example
            end_child(exc)

    main = hub.parent
    while main.parent is not None:
        main = main.parent
    guarding = greenlet(guard, parent=main)
    guarding.switch()
    hub.parent = guarding
    if forking_greenlet is not hub:
        after = After(loop=hub.loop)
        after.parent, forking_greenlet.parent = guarding, after


def _end_with_pool_task(frame: Any) -> None:
    """End the child when the task of gevent's thread pool that forked it ends: its thread would wait for another."""
    while frame is not None and frame.f_globals.get("__name__") != "gevent.threadpool":
        frame = frame.f_back
    if frame is None:
        return

    def trace(_: object, event: str, found: Any) -> None:
        end_child(found[1] if event == "exception" else None)

    frame.f_trace = trace  # called when the frame goes on
    sys.settrace(lambda *_: None)


atexit.register(_parts.clear)  # else `_forget` is called while the interpreter removes what it needs
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
