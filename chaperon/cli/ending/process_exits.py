"""Calls that end the process (`os._exit`, `os.exec…`, `exit` of C): refused during a run, with its verdict INVALID."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

import gevent

from chaperon import exit_codes
from chaperon.author_frames import blocking_line
from chaperon.cli.ending.main_greenlet import raise_in
from chaperon.clock import apart
from chaperon.forks import flush_streams
from chaperon.interrupts import marked
from chaperon.measure.plain_text import encodable

if TYPE_CHECKING:
    from chaperon.execution.run import Run

ENDS_PROCESS = ("_exit", "execv", "execve")
"""Functions of `os` that end the program in this process; all others of the exec family call the last two."""
FOREVER = 3600.0
"""Seconds for which a refused thread sleeps, again and again."""
_exit = os._exit


def replace_process_ends() -> None:
    """Replace the functions that end the program by ones that `process_exits_refused` can refuse, for good.

    They are replaced under every name that a module has for them (`os`, `posix`, `gevent.os`). It is called before a
    scenario is imported, whose names then stand for the new ones, too. Outside a run they work as usual.
    """
    for module in [each for each in list(sys.modules.values()) if isinstance(each, ModuleType)]:
        if module.__name__.partition(".")[0] == "chaperon":
            continue
        values = vars(module)
        if _end_ids.isdisjoint(map(id, values.values())):  # true of nearly all; a comparison of each value takes longer
            continue
        for name, value in list(values.items()):
            if id(value) in _end_ids:
                setattr(module, name, _ends[value])


def _refusable(name: str, end: Callable[..., object]) -> Callable[..., object]:
    def ends(*given: Any, **named: Any) -> object:
        if _refuse is not None:
            _refuse(f"os.{name}({given[0] if given else ''})", f"ended at once by os.{name}")
        return end(*given, **named)

    ends.__name__ = name
    return ends


_ends = {getattr(os, name): _refusable(name, getattr(os, name)) for name in ENDS_PROCESS if hasattr(os, name)}
_end_ids = frozenset(map(id, _ends))
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
            raise_in(main, end_text)
        hub.loop.run_callback_threadsafe(main.throw, marked(KeyboardInterrupt(end_text)))
        while True:
            apart.doze(FOREVER)

    global _refuse
    replace_process_ends()  # in modules imported meanwhile
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
        _exit(exit_codes.INVALID)


def exit_at_once(code: int) -> NoReturn:
    """End the process: an orderly exit waits for threads in the hub, which would resume visits that never switch."""
    flush_streams()
    _exit(code)
