"""Tell exceptions that end work on purpose (interrupts) from errors of the code that raised them.

The class of an exception does not decide it: a scenario may raise KeyboardInterrupt,
GreenletExit or a class of `chaperon.errors` itself. An exception that Chaperon raises to end
work carries a mark on the instance. One raised by a signal handler written in Python has the
frame of the handler in its traceback. CPython's default SIGINT handler has no frame, but it
raises between two bytecode instructions, not at a `raise` statement.

No function here calls code of the exception or of its class, since that code may fail or block.
"""

from __future__ import annotations

import signal
from opcode import opmap
from types import TracebackType
from typing import Any, NoReturn, TypeGuard, TypeVar

E = TypeVar("E", bound=BaseException)

LOOP = "loop"
"""Mark: the visit was in `session.loop` or `session.every`, or in a `while` loop cut by the end of a closed load."""
SOCKET = "socket"
"""Mark: the visit held a WebSocket open and was not waiting for a request."""

_MARK = "_chaperon_interrupt"
_ATTRIBUTES: Any = vars(BaseException)["__dict__"]
_NAME: Any = vars(type)["__name__"]
_TRACEBACK: Any = vars(BaseException)["__traceback__"]
_RAISES = frozenset(opmap[name] for name in ("RAISE_VARARGS", "RERAISE"))


def class_of(value: object) -> str:
    """Return the name of the class of *value*, without calling code of its metaclass."""
    name: str = _NAME.__get__(type(value))
    return name


def attributes(exc: BaseException) -> dict[str, Any]:
    """Return the `__dict__` of the instance, without calling code of its class. Changes to it take effect."""
    found: dict[str, Any] = _ATTRIBUTES.__get__(exc)
    return found


def traceback_of(exc: BaseException) -> Any:
    """Return the traceback of *exc* or None, without calling code of its class."""
    return _TRACEBACK.__get__(exc)


def is_a(exc: BaseException, *kinds: type[E]) -> TypeGuard[E]:
    """Return whether the class of *exc* is one of *kinds* or a subclass. `isinstance` would also read `__class__`."""
    return issubclass(type(exc), kinds)


def raise_again(exc: BaseException) -> NoReturn:
    """Raise *exc*, which a scenario may have raised elsewhere.

    For compiled modules: the `raise` that mypyc makes reads `__class__`, which is code of the exception. This module
    is not compiled.
    """
    try:
        raise exc
    finally:
        del exc  # breaks the reference cycle between traceback and frame


def marked(exc: E, endless: str = "") -> E:
    """Mark *exc* as an interrupt raised by Chaperon and return it. Call it where the exception is raised or thrown.

    *endless* is LOOP or SOCKET if the interrupted work had no natural end, "" if it had one.
    """
    attributes(exc)[_MARK] = endless
    return exc


def endless(exc: BaseException) -> str:
    """Return LOOP or SOCKET if *exc* is a marked interrupt of work without a natural end, otherwise ""."""
    return str(attributes(exc).get(_MARK, ""))


def is_ours(exc: BaseException) -> bool:
    """Return whether Chaperon raised *exc* to end work: it is marked."""
    return _MARK in attributes(exc)


def is_signal(exc: BaseException) -> bool:
    """Return whether a signal handler of this process raised *exc*. False for every subclass of Exception."""
    if issubclass(type(exc), Exception) or is_ours(exc):
        return False
    handlers = [getattr(signal.getsignal(number), "__code__", None) for number in signal.valid_signals()]
    innermost, each = None, traceback_of(exc)
    while each is not None:
        if any(each.tb_frame.f_code is code for code in handlers):
            return True
        innermost, each = each, each.tb_next
    return (
        type(exc) is KeyboardInterrupt
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        and innermost is not None
        and not _at_raise(innermost)
    )


def is_interrupt(exc: BaseException) -> bool:
    """Return whether *exc* ends work on purpose: Chaperon or a signal handler raised it."""
    return is_ours(exc) or is_signal(exc)


def is_raised(exc: BaseException) -> bool:
    """Return whether code that was called raised *exc*, of any class: it is no interrupt.

    False also for GreenletExit and Timeout of gevent that another greenlet or a timer threw into this one.
    """
    if issubclass(type(exc), Exception):
        return True
    innermost = traceback_of(exc)
    while innermost is not None and innermost.tb_next is not None:
        innermost = innermost.tb_next
    thrown = innermost is None or str(innermost.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == "gevent"
    return not thrown and not is_interrupt(exc)


def _at_raise(trace: TracebackType) -> bool:
    """Return whether a `raise` statement ended the frame, or the frame is of compiled code, which checks no signals."""
    code = trace.tb_frame.f_code.co_code
    return not 0 <= trace.tb_lasti < len(code) or code[trace.tb_lasti] in _RAISES
