"""What came back: judged, classified, counted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Any

from chaperon.measure.sample import Failure

Expect = int | Collection[int] | Callable[[Any], object]


def judge(response: Any, expect: Expect | None) -> Failure | None:
    """Return why a response counts as an error, or None.

    Without *expect* every status of 400 or more does. *expect* is the status, or the
    statuses, or a predicate of the response that says what is good.
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
    return f"{status} {phrase}".strip()


def wire_bytes(response: Any) -> int:
    """Return the body bytes received for *response*, redirects included, as they came over the wire."""
    total = 0
    for each in (*response.history, response):
        try:
            total += each.raw.tell()
        except (AttributeError, OSError, ValueError):
            total += len(each.content) if each._content_consumed else 0
    return total
