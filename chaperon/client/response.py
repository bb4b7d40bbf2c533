"""What came back: judged, classified, counted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from chaperon.errors import Ended, TimeIsUp, WebSocketError
from chaperon.measure.sample import Failure

Expect = int | Collection[int] | Callable[[Any], object]

# Exact class names, so that nothing has to be imported to recognise its errors.
_CLASSES = {
    "ConnectionRefusedError": "connect refused",
    "gaierror": "dns",
    "NameResolutionError": "dns",
    "SSLError": "tls",
    "SSLCertVerificationError": "tls",
    "SSLEOFError": "tls",
    "SSLZeroReturnError": "tls",
    "CertificateError": "tls",
    "ConnectTimeout": "timeout",
    "ConnectTimeoutError": "timeout",
    "DeadlineExceeded": "deadline",
    "BodyTooLarge": "body too large",
    "DescriptorsExhausted": "out of descriptors",
    "PortsExhausted": "out of ports",
    "ReadTimeout": "timeout",
    "ReadTimeoutError": "timeout",
    "TimeoutError": "timeout",
    "timeout": "timeout",
    "ConnectionResetError": "reset",
    "BrokenPipeError": "reset",
    "ConnectionAbortedError": "reset",
    "RemoteDisconnected": "reset",
    "IncompleteRead": "truncated",
    "TooManyRedirects": "too many redirects",
    "InvalidURL": "bad url",
    "MissingSchema": "bad url",
    "InvalidSchema": "bad url",
    "ContentDecodingError": "bad encoding",
    "InvalidChunkLength": "protocol",
    "BadStatusLine": "protocol",
    "LineTooLong": "protocol",
    "InvalidHeader": "protocol",
    "HeaderParsingError": "protocol",
    "ProtocolError": "protocol",
    "ChunkedEncodingError": "protocol",
}


def chain(exc: BaseException) -> Iterator[BaseException]:
    """Yield *exc* with all it wraps, the outermost first."""
    seen: set[int] = set()
    waiting = [exc]
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = [a for a in each.args if isinstance(a, BaseException)]
        inner += [e for e in (getattr(each, "reason", None), each.__cause__) if isinstance(e, BaseException)]
        if not each.__suppress_context__ and each.__context__ is not None:
            inner.append(each.__context__)
        waiting += inner


def classify(exc: BaseException) -> str:
    """Return the class an exception is counted under: "timeout", "dns", …, or its own name."""
    if isinstance(exc, (Ended, GeneratorExit)) or type(exc).__name__ == "GreenletExit":
        return "interrupted"
    if isinstance(exc, WebSocketError):
        return exc.counted_as
    transport = type(exc).__module__.partition(".")[0] in {"requests", "urllib3", "http"} or isinstance(exc, OSError)
    if type(exc).__name__ not in _CLASSES and not transport:
        return type(exc).__name__
    found = [_CLASSES[type(e).__name__] for e in chain(exc) if type(e).__name__ in _CLASSES]
    precise = [name for name in found if name != "protocol"]
    return (precise or found or [type(exc).__name__])[-1]


def failure_of(exc: BaseException) -> Failure:
    """Return *exc* as a failure: listed the first time it is seen, only counted further out.

    An exception is known again by a mark on it, or on one that it was raised from.
    """
    if isinstance(exc, TimeIsUp):
        exc = exc.becomes
    listed = not any(getattr(e, "_chaperon_listed", False) for e in chain(exc))
    with suppress(AttributeError):  # a class with slots: it may be named twice
        exc._chaperon_listed = True  # type: ignore[attr-defined]
    return Failure(classify(exc), _told(exc), listed)


def _told(exc: BaseException) -> str:
    """Return what an exception says: of one that wraps a retry, the reason, for it comes last in its words."""
    reason = getattr(exc.args[0], "reason", None) if exc.args else None
    return f"{type(exc).__name__}: {reason if isinstance(reason, Exception) else exc}"


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
