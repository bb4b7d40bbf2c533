"""Calling functions of the scenario's author: their names, arguments and sessions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from inspect import Parameter
from typing import Any

from chaperon.errors import PlanError

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.VAR_POSITIONAL)


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of a function in reports."""
    return str(getattr(function, "__name__", type(function).__name__))


def require_plain_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return *function* unchanged; raises PlanError for a coroutine or generator function."""
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        kind = "async" if inspect.iscoroutinefunction(function) else "a generator"
        raise PlanError(f"{name_of(function)} is {kind}: write it as an ordinary function, which may block")
    return function


def require_session_parameter(function: Callable[..., Any]) -> None:
    """Raise PlanError if *function* cannot be called with a session as its first argument."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # a builtin without a signature
        return
    if not any(each.kind in _POSITIONAL for each in parameters):
        name = name_of(function)
        raise PlanError(f"{name} has no parameter for its session: write def {name}(session)")


def is_timed(function: Callable[..., Any]) -> bool:
    """Return whether *function* is decorated with `step` or `measured`, which time each call."""
    return bool(getattr(function, "_chaperon_timed", False))


def call_with_optional_arg(function: Callable[..., Any], argument: Any) -> Any:
    """Call a function without arguments, or with *argument* if it requires one."""
    try:
        inspect.signature(function).bind()
    except TypeError:
        return function(argument)
    except ValueError:  # a builtin without a signature
        return function()
    return function()


def bind_session(function: Callable[..., Any], session: Any, target: Any) -> Callable[..., Any]:
    """Return *function* bound to the session *target*.

    A method of *session* becomes the same method of *target*; methods of other objects of
    Chaperon (a WebSocket, `session.http`) are returned unchanged; any other function gets
    *target* as its first argument.
    """
    owner = getattr(function, "__self__", None)
    if owner is session:
        return getattr(target, function.__name__)  # type: ignore[no-any-return]
    if type(owner).__module__.startswith("chaperon."):
        return function
    return partial(function, target)
