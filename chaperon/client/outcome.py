"""Decides whether a response counts as an error, and how many bytes it took."""

from __future__ import annotations

from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Any

from chaperon.client.error_text import error_text
from chaperon.measure.sample import Failure

Expect = int | Collection[int] | Callable[[Any], object]


def judge(response: Any, expect: Expect | None) -> Failure | None:
    """Return the failure that a response counts as, or None if it is good.

    *expect* is the good status, a collection of good statuses, or a predicate that returns true for a good
    response. Without it, every status below 400 is good. Raises what the predicate raises.
    """
    status = response.status_code
    if expect is None:
        if status < 400:
            return None
        return Failure(f"http {status}", _reason(status, response))
    if callable(expect):
        if expect(response):
            return None
        return Failure(f"http {status}" if status >= 400 else "unexpected reply", _reason(status, response))
    wanted = {expect} if isinstance(expect, int) else expect
    if status in wanted:
        return None
    listing = ", ".join(str(s) for s in sorted(wanted))
    error = f"http {status}" if status >= 400 else f"unexpected http {status}"
    return Failure(error, f"{_reason(status, response)}, expected {listing}")


def _reason(status: int, response: Any) -> str:
    try:
        phrase = response.reason or HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    said = error_text(response)
    return f"{status} {phrase}".strip() + (f": {said}" if said else "")


def wire_bytes(response: Any) -> int:
    """Return the number of encoded body bytes received for *response* and the redirects before it."""
    total = 0
    for each in (*response.history, response):
        try:
            total += each.raw.tell()
        except (AttributeError, OSError, ValueError):
            total += len(each.content) if each._content_consumed else 0
    return total
