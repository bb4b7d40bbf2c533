"""The decorators `step` and `measured`: each call is timed by `session.measure(name)`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast, overload

from chaperon import forks
from chaperon.clock import WAIT, seconds
from chaperon.errors import PlanError, StepTimeout
from chaperon.interrupts import is_interrupt
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.kinds.think import Between, Think, thinking
from chaperon.measure.failures import clear_listed
from chaperon.session.context import POLICIES, OnError
from chaperon.session.functions import name_of, require_plain_function, require_session_parameter
from chaperon.session.timeouts import TimeLimit

F = TypeVar("F", bound=Callable[..., Any])


@lazy_dataclass(frozen=True, slots=True)
class StepOptions:
    """The options of a step. *plain* is its function, if a call of the step is one call of it without a time limit."""

    name: str
    think: Between | None = None
    on_error: OnError | None = None
    plain: Callable[..., Any] | None = None


def step_time_limit(session: Any, name: str, within: float) -> TimeLimit:
    """Return the time limit of a step."""
    return TimeLimit(session.clock, within, StepTimeout(f"step {name} took longer than {within:g} s"), session.tasks)


def options_of(function: Callable[..., Any]) -> StepOptions | None:
    """Return the options of a function that `@step` decorates, else None."""
    found = getattr(function, "_chaperon_step", None)
    return found if isinstance(found, StepOptions) else None


@overload
def step(function: F, /) -> F: ...


@overload
def step(
    *,
    name: str | None = None,
    think: Think | None = None,
    repeat: int = 1,
    retries: int = 0,
    timeout: float | str | None = None,
    on_error: OnError | None = None,
) -> Callable[[F], F]: ...


def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    think: Think | None = None,
    repeat: int = 1,
    retries: int = 0,
    timeout: float | str | None = None,
    on_error: OnError | None = None,
) -> Any:
    """Declare a step of a scenario, timed and reported as «step NAME».

    A call runs the function *repeat* times, and each of these again after an exception, up to
    *retries* times. Each attempt may take at most *timeout* (StepTimeout). In a scenario,
    *think* is the pause after the step; of the last one it is the pause between two visits of a user,
    unless the load has its own. *on_error* is what follows
    an exception: "next-visit" (the default), "continue", "stop-session" or "stop-run". Raises
    PlanError for invalid options.
    """
    if function is None:
        return lambda f: _step(f, name, think, repeat, retries, timeout, on_error)
    return _step(function, name, think, repeat, retries, timeout, on_error)


def _step(
    function: F,
    name: str | None,
    think: Think | None,
    repeat: int,
    retries: int,
    timeout: float | str | None,
    on_error: OnError | None,
) -> F:
    label = name or _name_of(function)
    require_session_parameter(function)
    within = None if timeout is None else seconds(timeout, most=WAIT)
    if repeat < 1 or retries < 0:
        raise PlanError(f"step {label}: repeat must be at least 1, retries at least 0; got {repeat} and {retries}")
    if on_error is not None and on_error not in POLICIES:
        raise PlanError(f"step {label}: on_error must be one of {', '.join(POLICIES)}; got {on_error!r}")

    @functools.wraps(function)
    def once(session: Any, /, *args: Any, **kwargs: Any) -> Any:
        with session.measure(label, kind="step"):
            if within is None:
                return function(session, *args, **kwargs)
            with step_time_limit(session, label, within):
                return function(session, *args, **kwargs)

    @functools.wraps(function)
    def repeated(session: Any, /, *args: Any, **kwargs: Any) -> Any:
        value = None
        for _ in range(repeat):
            for _ in range(retries):
                try:
                    value = once(session, *args, **kwargs)
                    break
                except BaseException as exc:
                    if is_interrupt(exc) or forks.in_child():
                        raise
                    clear_listed(exc)
            else:
                value = once(session, *args, **kwargs)
        return value

    timed: Any = once if repeat == 1 and not retries else repeated
    timed._chaperon_timed = True
    timed._chaperon_step = StepOptions(
        label, thinking(think), on_error, function if timed is once and within is None else None
    )
    return cast(F, timed)


@overload
def measured(function: F, /) -> F: ...


@overload
def measured(*, name: str | None = None) -> Callable[[F], F]: ...


def measured(function: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Time every call of a function, reported as «call NAME»."""
    if function is None:
        return lambda f: _measured(f, name)
    return _measured(function, name)


def _measured(function: F, name: str | None) -> F:
    label = name or _name_of(function)

    @functools.wraps(function)
    def timed(session: Any, /, *args: Any, **kwargs: Any) -> Any:
        with session.measure(label):
            return function(session, *args, **kwargs)

    timed._chaperon_timed = True  # type: ignore[attr-defined]
    return cast(F, timed)


def _name_of(function: Callable[..., Any]) -> str:
    if not callable(function):
        raise PlanError(f"@step and @measured decorate functions, not {function!r}")
    return name_of(require_plain_function(function))
