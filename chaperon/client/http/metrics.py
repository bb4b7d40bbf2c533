"""The series recorded for one HTTP call: its sample, redirects, retries, stage timings."""

from __future__ import annotations

from typing import Any

import requests

from chaperon.client.exchange import keep_exchange, wire_bytes
from chaperon.client.network.exceptions import was_sent_again
from chaperon.client.outcome import Expect, judge, mark_recorded
from chaperon.client.timings import Timings
from chaperon.interrupts import attributes, is_a
from chaperon.measure.failures import failure_of
from chaperon.measure.meter import Meter
from chaperon.measure.sample import Failure

OPENING = frozenset({"dns", "tcp", "tls"})


def record_response(
    meter: Meter, response: requests.Response, name: str, start: float, end: float, expect: Expect | None
) -> None:
    """Record a response as a success or failure by *expect*. Raises what an *expect* predicate raises.

    Its status is counted, too.
    """
    failure: Failure | None
    if isinstance(response.status_code, int):  # a mock may have another
        meter.recorder.responses.count(response.status_code)
    try:
        failure = judge(response, expect)
    except BaseException as exc:
        failure = failure_of(exc)
        meter.record(name, "http", start, end, failure, wire_bytes(response))
        keep_exchange(meter, name, start, end, failure, response=response)
        raise
    meter.record(name, "http", start, end, failure, wire_bytes(response))
    mark_recorded(response, meter, name, start, end, failure)
    if failure is not None or meter.recorder.exchanges.wants_all:
        keep_exchange(meter, name, start, end, failure, response=response)


def record_exception(
    meter: Meter, name: str, start: float, end: float, exc: BaseException, request: Any, response: Any = None
) -> None:
    """Record a request that an exception ended; it is the one that a `requests` exception names, else *request*.

    *request* as in `keep_exchange`, *response* as far as it came.
    """
    failure = failure_of(exc)
    meter.last_reply = None
    meter.record(name, "http", start, end, failure, 0 if response is None else wire_bytes(response))
    if was_sent_again(exc):
        meter.record(f"retries {name}", "count", start, end, value=1.0)
    named = attributes(exc).get("request") if is_a(exc, requests.RequestException) else None
    keep_exchange(meter, name, start, end, failure, request=request if named is None else named, response=response)


def count_extras(
    meter: Meter, response: requests.Response, name: str, start: float, end: float, *, timed: bool
) -> None:
    """Count redirects and retries of a call; if *timed*, also record each stage's seconds and connection reuse."""
    replies: list[Any] = [r for r in (*response.history, response) if hasattr(r, "_arrived")]
    retried = sum(r._arrived.retried for r in replies)
    for what, n in (("redirects", len(response.history)), ("retries", retried)):
        if n:
            meter.record(f"{what} {name}", "count", start, end, value=float(n))
    if not timed:
        return
    for reply in replies:
        timings: Timings = reply.timings
        for part, spent in zip(Timings._fields, timings, strict=True):
            if not (reply.reused and part in OPENING):
                meter.record(f"{part} {name}", "value", start, end, value=spent)
        meter.record(f"connections {'reused' if reply.reused else 'opened'}", "count", start, end, value=1.0)
