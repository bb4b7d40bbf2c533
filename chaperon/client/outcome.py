"""Decides whether a response counts as an error, also after the fact."""

from __future__ import annotations

from collections.abc import Callable, Collection
from http import HTTPStatus
from types import FunctionType
from typing import Any
from weakref import WeakSet

from chaperon.client.error_text import error_text
from chaperon.client.exchange import keep_exchange
from chaperon.measure.meter import Meter
from chaperon.measure.plain_text import excerpt
from chaperon.measure.sample import Failure

Expect = int | Collection[int] | Callable[[Any], object]


UNEXPECTED = "unexpected reply"
"""The error class of a response below 400 that a predicate refuses without a reason."""
_returned_true: WeakSet[Any] = WeakSet()
"""The predicates that have returned True."""


class Judged:
    """What a response has by being measured: `fail`."""

    def fail(self, reason: str) -> None:
        """Count this response as bad, with *reason* as its error class and name.

        Its sample becomes bad with this reason, also where it was bad for another, until the second is over
        in which the response was complete (of more than 1,000 responses of a series a second: for the
        newest 1,000). After that a failed check of that name is counted. Only the first call has an
        effect. Raises TypeError if *reason* is no text.
        """
        if not isinstance(reason, str):
            raise TypeError(
                f"response.fail(reason) takes text, such as response.fail('no price'); got {excerpt(reason)}"
            )
        own = self.__dict__
        if "_failed" in own:
            return
        failure = own["_failed"] = _failure(self, reason)
        recorded = recorded_sample(self)
        if recorded is not None:
            meter, name, start, end, before = recorded
            if meter.amend(name, start, end, before, failure):
                keep_exchange(meter, name, start, end, failure, response=self)
            else:
                now, check = meter.clock.now(), f"check {failure.error}"
                meter.record(check, "check", now, now, failure)
                keep_exchange(meter, check, start, end, failure, kind="check", response=self)


def recorded_sample(response: Any) -> tuple[Meter, str, float, float, str | None] | None:
    """Return meter, name, start, end and error class of the sample of *response*, None if there is none."""
    own = response.__dict__
    recorded: tuple[Meter, str, float, float, str | None] | None = own.get("_recorded")
    if recorded is None and "_sent" in own:
        recorded = own["_sent"].recorded
    return recorded


def mark_recorded(response: Any, meter: Meter, name: str, start: float, end: float, failure: Failure | None) -> None:
    """Let `fail` and a failed check find the sample of *response* and of the redirects before it."""
    meter.last_reply = response
    for each in (response, *response.history):
        each.__dict__["_recorded"] = (meter, name, start, end, None if failure is None else failure.error)


def judge(response: Any, expect: Expect | None) -> Failure | None:
    """Return the failure that a response counts as, or None if it is good.

    *expect* is the good status, a collection of good statuses, or a predicate of the response. A predicate returns
    True or None for a good response, False or the reason as text for a bad one. Without *expect*,
    every status below 400 is good. A response on which `fail` was called is bad. Raises what the predicate
    raises, and TypeError if *expect* or what it returns is something else.
    """
    status = response.status_code
    if callable(expect):
        failure = _judge_by(expect, response)
    elif expect is None:
        failure = None if status < 400 else Failure(f"http {status}", _reason(status, response))
    else:
        failure = _judge_by_status(expect, response)
    given: Failure | None = response.__dict__.get("_failed")
    return given or failure


def _judge_by(predicate: Callable[[Any], object], response: Any) -> Failure | None:
    found = predicate(response)
    if found is True:
        if type(predicate) is FunctionType:  # another callable may have no weak references, or an odd hash
            _returned_true.add(predicate)
        return None
    if found is None:
        if type(predicate) is FunctionType and predicate in _returned_true:
            raise TypeError(
                "expect= returned True for one response and None for another, and both mean that it is good: "
                "let it return False for a bad one"
            )
        return None
    if found is False or isinstance(found, str):
        return _failure(response, found or "")
    raise TypeError(
        "expect= returns True or None for a good response, False or the reason as text for a bad one; "
        f"it returned {excerpt(found)}: write bool(…) around it"
    )


def _judge_by_status(expect: int | Collection[int], response: Any) -> Failure | None:
    status = response.status_code
    if isinstance(expect, (bool, str, bytes)) or not isinstance(expect, (int, Collection)):
        raise TypeError(
            "expect= takes a status, a collection of them, or a function of the response, such as expect=200, "
            f"expect={{200, 404}}, expect=lambda response: 'price' in response.text; got {excerpt(expect)}"
        )
    wanted = {expect} if isinstance(expect, int) else expect
    if status in wanted:
        return None
    listing = ", ".join(str(s) for s in sorted(wanted))
    error = f"http {status}" if status >= 400 else f"unexpected http {status}"
    return Failure(error, f"{_reason(status, response)}, expected {listing}")


def _failure(response: Any, reason: str) -> Failure:
    """Return the failure of a response that an author calls bad; without a *reason* its class is that of its status."""
    status = response.status_code
    shown = _reason(status, response)
    if not reason.strip():
        return Failure(f"http {status}" if status >= 400 else UNEXPECTED, shown)
    return Failure(reason, f"{reason} ({shown})")


def _reason(status: int, response: Any) -> str:
    try:
        phrase = response.reason or HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    said = error_text(response)
    return f"{status} {phrase}".strip() + (f": {said}" if said else "")
