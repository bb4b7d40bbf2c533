"""How the functions that an author hands over are called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from chaperon.errors import PlanError


def name_of(function: Callable[..., Any]) -> str:
    """Return what a function is called in reports."""
    return str(getattr(function, "__name__", type(function).__name__))


def require_plain_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does its work when it is called; raises PlanError for any other."""
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        kind = "async" if inspect.iscoroutinefunction(function) else "a generator"
        raise PlanError(f"{name_of(function)} is {kind}: write it as an ordinary function, which may block")
    return function


def is_timed(function: Callable[..., Any]) -> bool:
    """Return whether a decorator sees to it that each call of *function* is timed."""
    return bool(getattr(function, "_chaperon_timed", False))


def call_with_optional_arg(function: Callable[..., Any], argument: Any) -> Any:
    """Call a function without arguments, or with *argument* if it cannot do without one."""
    try:
        inspect.signature(function).bind()
    except TypeError:
        return function(argument)
    except ValueError:  # a builtin that does not tell its signature
        return function()
    return function()


def bind_session(function: Callable[..., Any], session: Any, target: Any) -> Callable[..., Any]:
    """Return *function* with its session filled in: *to*.

    A method of *session* becomes that of *to*, methods of other things of Chaperon's (a
    WebSocket, `session.http`) stay what they are, everything else takes a session first.
    """
    owner = getattr(function, "__self__", None)
    if owner is session:
        return getattr(target, function.__name__)  # type: ignore[no-any-return]
    if type(owner).__module__.startswith("chaperon."):
        return function
    return partial(function, target)
