"""The functions that create loads: `users`, `rate`, `users_per_second`, `iterations`, `stages` … `pause`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chaperon.clock import LASTING, named_seconds
from chaperon.errors import PlanError
from chaperon.load.curve import Curve, Piece
from chaperon.load.kinds.iterations import Iterations
from chaperon.load.kinds.load import Load, Pause, S, Shaped, plain
from chaperon.load.kinds.rate import Rate
from chaperon.load.kinds.think import Think, thinking
from chaperon.load.kinds.users import Users
from chaperon.load.kinds.users_per_second import UsersPerSecond
from chaperon.measure.quantity import count_text

Shape = Callable[..., Load]
MOST_PIECES = 10_000
"""The most straight pieces of one shape."""
MOST = 10_000_000
MOST_VISITS = 1_000_000_000


def users(
    n: int,
    *,
    ramp: float | str = 0.0,
    hold: float | str | None = None,
    think: Think | None = None,
    pacing: Think | None = None,
    delay: float | str = 0.0,
    warmup: float | str = 0.0,
) -> Users:
    """Return a closed load of *n* users that start evenly over *ramp* and make visits until *hold* after it.

    Without *hold* each user makes one visit. A user waits for *think* after each visit. *pacing*
    is the least time from the start of one visit to the start of the next. The load starts after
    *delay*. Its first *warmup* is left out of the headline figures and of limits. Spans are
    numbers of seconds or text such as "30s". Raises PlanError for invalid values.
    """
    curve = plain(_whole("users", n), _span("ramp", ramp), _hold(hold))
    load = Users(curve, 0.0, 1 if hold is None else None, thinking(think), thinking(pacing))
    return _placed(load, delay, warmup)


def rate(
    n: float,
    *,
    per: float | str = 1.0,
    ramp: float | str = 0.0,
    hold: float | str | None = None,
    fresh: bool = False,
    poisson: bool = False,
    in_flight: int | None = None,
    delay: float | str = 0.0,
    warmup: float | str = 0.0,
) -> Rate:
    """Return an open load: *n* visits become due every *per*, rising from 0 over *ramp*, then constant for *hold*.

    Visits are due at even distances, or with *poisson* at random ones (a Poisson process, the
    same for the same seed). With *fresh* every visit uses a new session, otherwise an idle one
    if there is any. While *in_flight* visits are in flight, further ones are dropped and counted
    as dropped. *delay* and *warmup* are as for `users`. Raises PlanError for invalid values and
    if *hold* is missing.
    """
    if hold is None:
        raise PlanError("a rate needs an end: say how long with hold= (--hold on the command line)")
    curve = plain(_pace(n, per), _span("ramp", ramp), _hold(hold))
    most = None if in_flight is None else _whole("in_flight", in_flight)
    return _placed(Rate(curve, 0.0, _flag("poisson", poisson), most, _flag("fresh", fresh)), delay, warmup)


def users_per_second(
    rate: float,
    *,
    visits: int = 1,
    per: float | str = 1.0,
    ramp: float | str = 0.0,
    hold: float | str | None = None,
    think: Think | None = None,
    pacing: Think | None = None,
    poisson: bool = False,
    in_flight: int | None = None,
    delay: float | str = 0.0,
    warmup: float | str = 0.0,
) -> UsersPerSecond:
    """Return an open load: *rate* new users arrive every *per*; each makes *visits* visits and leaves.

    Every user has a new session. The first visit is due when the user arrives, each further one
    when the one before has ended and *think* and *pacing* have passed, as for `users`. All visits of
    a user are planned when the user arrives; those a user cannot make before the run ends are
    dropped. While *in_flight* users are there, further ones are dropped with all their visits.
    *per*, *ramp*, *hold*, *poisson* are as for `rate`: after *hold* no user arrives. Raises PlanError,
    also where *hold* is missing.
    """
    if hold is None:
        raise PlanError("users_per_second needs an end: say how long users arrive with hold=")
    curve = plain(_pace(rate, per, "users"), _span("ramp", ramp), _hold(hold))
    most = None if in_flight is None else _whole("in_flight", in_flight)
    number = _whole("visits", visits)
    load = UsersPerSecond(curve, 0.0, _flag("poisson", poisson), most, number, thinking(think), thinking(pacing))
    return _placed(load, delay, warmup)


def iterations(
    n: int,
    *,
    users: int = 1,
    each: bool = False,
    ramp: float | str = 0.0,
    hold: float | str | None = None,
    think: Think | None = None,
    pacing: Think | None = None,
    delay: float | str = 0.0,
    warmup: float | str = 0.0,
) -> Iterations:
    """Return a closed load of *n* visits shared by *users*, or with *each* of *n* visits per user.

    Visits not started when *hold* is over are dropped. The other parameters are as for `users`.
    Raises PlanError for invalid values.
    """
    curve = plain(_whole("users", users), _span("ramp", ramp), _hold(hold))
    number = _whole("iterations", n)
    load = Iterations(curve, 0.0, number, thinking(think), thinking(pacing), _flag("each", each))
    return _placed(load, delay, warmup)


def stages(*steps: tuple[float | str, float], of: Shape | str = rate, **options: Any) -> Load:
    """Return a load with a piecewise linear level: `stages(("30s", 100), ("5m", 100), of=users)`.

    A step is (span, level at its end); the first starts at level 0. *of* is `users`, `rate`
    (visits per second), `users_per_second`, or the name of one of them as text, and *options* are
    parameters of that function. Raises PlanError for invalid values.
    """
    if not steps:
        raise PlanError('stages need at least one step: stages(("30s", 100), ("5m", 100))')
    shape, pieces = _shape_of(of), []
    for step in steps:
        if not isinstance(step, tuple) or len(step) != 2:
            raise PlanError(f"a stage is a span with the level at its end, such as ('30s', 100); got {step!r}")
        pieces.append(Piece(_span("stage", step[0]), _level(step[1], shape)))
    return _along(pieces, shape, options)


def stairs(start: float, to: float, *, by: float, each: float | str, of: Shape | str = rate, **options: Any) -> Load:
    """Return a load that goes from level *start* to *to* in steps of *by*, up or down, and holds each for *each*.

    *of* and *options* are as for `stages`. Raises PlanError for invalid values.
    """
    shape = _shape_of(of)
    low, high, step = _level(start, shape), _level(to, shape), abs(_level(by, shape))
    if step == 0.0:
        raise PlanError("stairs need a by= greater than 0")
    count = math.floor(abs(high - low) / step + 1e-9) + 1
    _few(count, "stair", "take larger steps with by=")
    span = _span("each", each)
    up = 1.0 if high >= low else -1.0
    least, most = min(low, high), max(low, high)  # rounding may bring the last level beyond them
    levels = [min(max(low + up * step * i, least), most) for i in range(count)]
    return _along([Piece(span, level, level) for level in levels], shape, options)


def spike(
    to: float,
    *,
    base: float = 0.0,
    ramp: float | str = 0.0,
    hold: float | str,
    of: Shape | str = rate,
    **options: Any,
) -> Load:
    """Return a load that goes from level *base* to *to* within *ramp*, holds it for *hold*, and returns within *ramp*.

    *of* and *options* are as for `stages`. Raises PlanError for invalid values.
    """
    shape = _shape_of(of)
    foot, top, slope = _level(base, shape), _level(to, shape), _span("ramp", ramp)
    return _along([Piece(slope, top, foot), Piece(_span("hold", hold), top, top), Piece(slope, foot)], shape, options)


def pause(span: float | str) -> Pause:
    """Return a load that sends nothing for *span*, to be put between two loads. Raises PlanError if invalid."""
    return Pause(_span("pause", span))


WORDS: dict[str, Callable[..., Any]] = {
    word.__name__: word for word in (users, rate, users_per_second, iterations, stages, stairs, spike, pause)
}


LEVELS: dict[str, Shape] = {kind.__name__: kind for kind in (users, rate, users_per_second)}
"""What the level of a curve can count: the values of `of=`."""


def _shape_of(of: Shape | str) -> Shape:
    """Return the kind of load that `of=` gives, itself or by name. Raises PlanError."""
    shape = LEVELS.get(of) if isinstance(of, str) else of
    if shape is None or shape not in LEVELS.values():
        *others, last = LEVELS
        raise PlanError(f"of= takes {', '.join(others)} or {last}, got {getattr(of, '__name__', of)!r}")
    return shape


def _along(pieces: list[Piece], of: Shape, options: dict[str, Any]) -> Load:
    """Return a load of the kind *of* that follows *pieces*. Raises PlanError, also for a level out of range."""
    _few(len(pieces), "piece", "use longer ones")
    for piece in pieces:
        for level in (piece.since or 0.0, piece.to):
            if not 0 <= level <= MOST:
                raise PlanError(f"a level must be from 0 to {MOST:,}, got {level:,.15g}")
    for taken in ("ramp", "hold", "per"):
        if taken in options:
            raise PlanError(f"{taken}= cannot be combined with levels over time: their spans define it")
    delay = options.pop("delay", 0.0)
    curve = Curve.of(pieces)
    if not curve.segments or curve.peak == 0.0:
        raise PlanError("the load has no length, or a level of 0 throughout: nothing would be sent")
    warmup = options.pop("warmup", 0.0)
    try:
        kind = of(1, hold=1.0, **options)
    except TypeError as exc:
        raise PlanError(str(exc)) from None
    assert isinstance(kind, Shaped)
    return _placed(replace(kind, curve=curve), delay, warmup)


def _placed(load: S, delay: float | str, warmup: float | str) -> S:
    load = replace(load, warmup=_span("warmup", warmup))
    late = _span("delay", delay)
    if not late:
        return load
    curve = Curve.of((Piece(late, 0.0, 0.0), *load.curve.pieces))  # the warm-up starts after the delay
    return replace(load, curve=curve, warmup=load.warmup + late if load.warmup else 0.0)


def _pace(n: float, per: float | str, what: str = "visits") -> float:
    if isinstance(n, bool) or not isinstance(n, (int, float)) or not 0 < n < math.inf:
        raise PlanError(f"rate must be positive and finite, got {n!r} {what}")
    each = 1.0 if per in ("s", "second") else 60.0 if per in ("m", "min", "minute") else _span("per", per)
    if each <= 0:
        raise PlanError(f"per= must be longer than 0 seconds, got {per!r}")
    return _within("rate", n / each)


def _level(level: float, of: Shape) -> float:
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 <= level < math.inf:
        raise PlanError(f"a level must be a number, not negative, got {level!r}")
    if of is users and level != int(level):
        raise PlanError(f"there are no {level!r} users: take a whole number")
    return _within("a level", float(level))


def _whole(what: str, n: int) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise PlanError(f"{what} must be a whole number of at least 1, got {n!r}")
    return int(_within(what, n, MOST_VISITS if what == "iterations" else MOST))


def _within(what: str, n: float, most: float = MOST) -> float:
    if n > most:
        raise PlanError(f"{what} must be at most {most:,}, got {n:,.15g}")
    return n


def _few(count: int, what: str, remedy: str) -> None:
    """Raise PlanError if a shape would have more pieces than `MOST_PIECES`."""
    if count > MOST_PIECES:
        raise PlanError(f"{count_text(count, what)} are more than {MOST_PIECES:,}: {remedy}")


def _flag(what: str, given: bool) -> bool:
    if not isinstance(given, bool):
        raise PlanError(f"{what}= is True or False, got {given!r}")
    return given


def _span(what: str, span: float | str) -> float:
    return named_seconds(what, span, LASTING)


def _hold(hold: float | str | None) -> float | None:
    return None if hold is None else _span("hold", hold)
