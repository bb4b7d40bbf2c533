"""What ends a run from outside its load: signals (Ctrl-C, SIGTERM, SIGHUP), and calls that would end the process."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import BuiltinFunctionType, FrameType, ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

import gevent

from chaperon.author_frames import blocking_line
from chaperon.cli.terminal.streams import print_line
from chaperon.clock import HubClock, apart
from chaperon.interrupts import is_ours, marked
from chaperon.measure.plain_text import encodable

if TYPE_CHECKING:
    from chaperon.execution.run import Run

BLOCKED = 0.3
"""Seconds after the first signal from which a hub that has not handled it counts as blocked."""
ENDS_PROCESS = ("_exit", "execv", "execve")
"""Functions of `os` that end the program in this process; all others of the exec family call the last two."""
FOREVER = 3600.0
INVALID = 5
"""The exit code of `Verdict.INVALID`, whose module is not imported before the end of a run."""
_exit = os._exit
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
            _raise_in(main, f"ended at once by {name}{where}")
        else:
            waiting += 1
            # printed by the hub: a signal may arrive in the middle of another print
            hub.loop.run_callback_threadsafe(in_hub, count, name)

    with _handler_installed(on_signal):
        try:
            yield
        except KeyboardInterrupt as exc:
            if is_ours(exc):
                running.end_now(str(exc))
                _print(str(exc))
                _print("visits in flight count as interrupted")
            raise


def replace_process_ends() -> None:
    """Replace the functions that end the program by ones that `process_exits_refused` can refuse, for good.

    They are replaced under every name that a module has for them (`os`, `posix`, `gevent.os`). It is called before a
    scenario is imported, whose names then stand for the new ones, too. Outside a run they work as usual.
    """
    for module in [each for each in list(sys.modules.values()) if isinstance(each, ModuleType)]:
        if module.__name__.partition(".")[0] == "chaperon":
            continue
        for name, value in list(vars(module).items()):
            if isinstance(value, BuiltinFunctionType) and value in _ends:
                setattr(module, name, _ends[value])


def _refusable(name: str, end: Callable[..., object]) -> Callable[..., object]:
    def ends(*given: Any, **named: Any) -> object:
        if _refuse is not None:
            _refuse(f"os.{name}({given[0] if given else ''})", f"ended at once by os.{name}")
        return end(*given, **named)

    ends.__name__ = name
    return ends


_ends = {getattr(os, name): _refusable(name, getattr(os, name)) for name in ENDS_PROCESS if hasattr(os, name)}
_refuse: Callable[[str, str], None] | None = None
"""What refuses a call that would end the program, given the call and the end; it returns in a forked process."""


@contextmanager
def process_exits_refused(running: Run) -> Iterator[None]:
    """End *running* as INVALID if code in this process calls `os._exit` or `os.exec…` while the block runs.

    Otherwise the process would end with an exit code that says nothing about the run. The caller is not resumed.
    KeyboardInterrupt is raised in this greenlet, which must be the main one of `handle_signals`. In a forked process
    these calls work as usual. If C code calls `exit`, the process ends with the exit code of INVALID and a line.
    """
    main, hub, owner, thread = gevent.getcurrent(), gevent.get_hub(), os.getpid(), apart.current()

    def refuse(call: str, end_text: str) -> None:
        if os.getpid() != owner:
            return
        running.fault(encodable(f"{call} was called during the run, at {blocking_line(sys._getframe(2))}"))
        if apart.current() == thread:
            _raise_in(main, end_text)
        hub.loop.run_callback_threadsafe(main.throw, marked(KeyboardInterrupt(end_text)))
        while True:
            apart.doze(FOREVER)

    global _refuse
    replace_process_ends()  # in modules imported meanwhile
    blocking_line(sys._getframe())  # finds the folders of libraries, which `_say_ended` cannot
    _refuse = refuse
    try:
        with _library_exit_watched(partial(_say_ended, owner)):
            yield
    finally:
        _refuse = None


@contextmanager
def _library_exit_watched(on_exit: Callable[[], object]) -> Iterator[None]:
    """Call *on_exit* if C code calls `exit` in the block, in the greenlet or thread that called it.

    If it returns, the process ends. glibc alone removes such a handler again (`__cxa_finalize`); with another C library
    the block runs without one, since it would run after the interpreter has ended.
    """
    libc: Any = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        yield
        return
    watching = True

    def handler(_: int | None) -> None:
        if watching:
            on_exit()

    callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(handler)
    owner = ctypes.create_string_buffer(1)  # its address stands for the library that registers the handler
    libc.__cxa_atexit(callback, None, ctypes.byref(owner))
    try:
        yield
    finally:
        watching = False
        libc.__cxa_finalize(ctypes.byref(owner))  # calls the handler and forgets it


def _say_ended(owner: int) -> None:
    """End process *owner* as an INVALID run without a report, since C code has called `exit`.

    greenlet has ended by then, so that no other greenlet can run, and no module can be imported.
    """
    if os.getpid() == owner:
        where = encodable(blocking_line(sys._getframe(2)))
        os.write(2, f"chaperon: INVALID, without a report: exit() of C was called, at {where}\n".encode())
        _exit(INVALID)


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


def exit_at_once(code: int) -> NoReturn:
    """End the process: an orderly exit waits for threads in the hub, which would resume visits that never switch."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, full, or none
            stream.flush()
    os._exit(code)


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


def _raise_in(main: Any, reason: str) -> None:
    """Raise KeyboardInterrupt in the main greenlet; if another one called this, it is not resumed."""
    interrupt = marked(KeyboardInterrupt(reason))
    if gevent.getcurrent() in (main, gevent.get_hub()):
        raise interrupt  # by the hub in the main greenlet
    with suppress(BaseException):
        main.throw(interrupt)
    while True:
        with suppress(BaseException):  # an exception raised here would let the blocking code go on
            gevent.get_hub().switch()


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
