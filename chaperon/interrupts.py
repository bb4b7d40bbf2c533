"""Which exceptions end work on purpose; every other one is an error of the code that raised it.

The class of an exception does not say who raised it: a scenario may raise KeyboardInterrupt,
GreenletExit or a class of `chaperon.errors` itself. An exception that Chaperon raises to end
work carries a mark on the instance. One that a signal handler raised has the frame of the
handler in its traceback; the handler of CPython for SIGINT has no frame, but raises between
two instructions, where no `raise` statement stands.

Nothing here runs code of the exception or of its class: both may be of any kind.
"""

from __future__ import annotations

import signal
from opcode import opmap
from types import TracebackType
from typing import Any, TypeGuard, TypeVar

E = TypeVar("E", bound=BaseException)

LOOP = "loop"
"""It was in `session.loop`, in `session.every`, or in a `while` loop that the end of a closed load cut."""
SOCKET = "socket"
"""It held a WebSocket open, and waited for no request."""

_MARK = "_chaperon_interrupt"
_ATTRIBUTES: Any = vars(BaseException)["__dict__"]
_NAME: Any = vars(type)["__name__"]
_TRACEBACK: Any = vars(BaseException)["__traceback__"]
_RAISES = frozenset(opmap[name] for name in ("RAISE_VARARGS", "RERAISE"))


def class_of(value: object) -> str:
    """Return the name of the class of *value*, whatever its metaclass says."""
    name: str = _NAME.__get__(type(value))
    return name


def attributes(exc: BaseException) -> dict[str, Any]:
    """Return the attributes of the instance itself, whatever its class makes of attribute access."""
    found: dict[str, Any] = _ATTRIBUTES.__get__(exc)
    return found


def traceback_of(exc: BaseException) -> Any:
    """Return the traceback of *exc*, None without one, whatever its class makes of attribute access."""
    return _TRACEBACK.__get__(exc)


def is_a(exc: BaseException, *kinds: type[E]) -> TypeGuard[E]:
    """Return whether *exc* is of one of *kinds*; `isinstance` would ask the instance for its `__class__` too."""
    return issubclass(type(exc), kinds)


def marked(exc: E, endless: str = "") -> E:
    """Mark *exc* as an interrupt of Chaperon's and return it; to be called where it is raised or thrown.

    *endless* says why what it ends has no natural end: LOOP, SOCKET, or "" where it has one.
    """
    attributes(exc)[_MARK] = endless
    return exc


def endless(exc: BaseException) -> str:
    """Return why what *exc* ends has no natural end, "" where it has one or *exc* is no interrupt of Chaperon's."""
    return str(attributes(exc).get(_MARK, ""))


def is_ours(exc: BaseException) -> bool:
    """Return whether Chaperon raised *exc* to end work."""
    return _MARK in attributes(exc)


def is_signal(exc: BaseException) -> bool:
    """Return whether a signal handler of this process raised *exc*; subclasses of Exception are never taken for it."""
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
    """Return whether *exc* ends work on purpose: Chaperon raised it, or a signal handler did."""
    return is_ours(exc) or is_signal(exc)


def _at_raise(trace: TracebackType) -> bool:
    """Return whether a frame was left by a `raise` statement, or is of compiled code, which checks no signals."""
    code = trace.tb_frame.f_code.co_code
    return not 0 <= trace.tb_lasti < len(code) or code[trace.tb_lasti] in _RAISES
