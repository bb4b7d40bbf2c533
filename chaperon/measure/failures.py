"""Conversion of exceptions to failures: the error class each exception is counted under."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chaperon.author_frames import author_places
from chaperon.errors import BaseMissing, TimeLimitReached, WebSocketError
from chaperon.interrupts import SOCKET, attributes, endless, is_a, is_interrupt, is_ours, marked
from chaperon.measure.exception_text import LONGEST_NAME, class_name, describe, text_of, with_place
from chaperon.measure.plain_text import WORDS, encodable
from chaperon.measure.sample import Failure, Trace

DEEPEST = 100

TRACE = 30
"""Maximum number of the author's lines that a failure has of an exception: the innermost."""

CAUSES = 5
"""Maximum number of causes of an exception whose lines a failure has."""

_LISTED = "_chaperon_listed"

_ARGS: Any = vars(BaseException)["args"]

_CAUSE: Any = vars(BaseException)["__cause__"]

_CONTEXT: Any = vars(BaseException)["__context__"]

_NO_CONTEXT: Any = vars(BaseException)["__suppress_context__"]

# Matched by class name, so that no library has to be imported to recognise its errors.
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

UNCONNECTED = frozenset({"connect refused", "dns", "tls", "reset", "bad url", "out of descriptors", "out of ports"})
"""Error classes of connections that could not be opened, or that the target closed."""


def chain(exc: BaseException) -> Iterator[BaseException]:
    """Yield *exc* and the exceptions it wraps (args, reason, cause, context), outermost first, at most 100.

    No code of the exceptions or of their classes is called.
    """
    seen: set[int] = set()
    waiting = [exc]
    while waiting and len(seen) < DEEPEST:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = [*_ARGS.__get__(each), attributes(each).get("reason"), _CAUSE.__get__(each)]
        if not _NO_CONTEXT.__get__(each):
            inner.append(_CONTEXT.__get__(each))
        waiting += [e for e in inner if is_a(e, BaseException)]


def cause_of(exc: BaseException) -> BaseException | None:
    """Return the `__cause__` of *exc*, without calling code of its class."""
    cause: BaseException | None = _CAUSE.__get__(exc)
    return cause


def classify(exc: BaseException) -> str:
    """Return the error class an exception is counted under: "timeout", "dns", …, or the name of its Python class."""
    kind, name = type(exc), class_name(exc)
    if is_interrupt(exc):
        return "interrupted"
    if issubclass(kind, WebSocketError):
        return str(exc.counted_as)  # type: ignore[attr-defined]
    transport = kind.__module__.partition(".")[0] in {"requests", "urllib3", "http"} or issubclass(kind, OSError)
    if name not in _CLASSES and not transport:
        return name
    found = [_CLASSES[n] for n in map(class_name, chain(exc)) if n in _CLASSES]
    precise = [each for each in found if each != "protocol"]
    return (precise or found or [name])[-1]


def is_unconnected(exc: BaseException) -> bool:
    """Return whether *exc*, or an exception that it wraps, says that no connection could be made.

    Raises only an interrupt, if one arrives while code of the exception's class runs.
    """
    try:
        return any(is_a(each, BaseMissing) or classify(each) in UNCONNECTED for each in chain(exc))
    except BaseException as odd:
        if is_interrupt(odd):
            raise
        return False


_CUT = frozenset({"timeout", "deadline", "body too large", "interrupted"})
"""Error classes of work that was cut before it ended by itself."""

_CUT_NAMES = frozenset({"Timeout", "TimeoutError", "TimeoutException", "TimeoutExpired", "timeout"})
"""Names of base classes for reached time limits, in gevent, requests, httpx and the standard library."""

_ENDED = frozenset(_CLASSES.values()) - _CUT


def is_cut(exc: BaseException) -> bool:
    """Return whether *exc* means that work was cut by a time limit, a size limit or the end of the run.

    An exception raised from such an exception counts as well.
    """
    each: BaseException | None = exc
    for _ in range(DEEPEST):
        if each is None:
            return False
        error = classify(each)
        if error in _CUT:
            return True
        if error not in _ENDED and any(c.__name__ in _CUT_NAMES for c in type(each).__mro__):
            return True
        each = _CAUSE.__get__(each)
    return False


def failure_of(exc: BaseException, *, natural: bool = True) -> Failure:
    """Return *exc* as a failure. It is listed in the innermost series that sees it, and only counted in outer ones.

    A mark on the exception, or on one that it wraps, shows that it was listed; `clear_listed` removes
    the mark. A failure that was cut is censored, unless the work had no natural end. With
    *natural* the work is a request, which always has one, and so does the visit waiting for it
    with a WebSocket open. Without *natural* the mark of the interrupt decides (`interrupts.endless`).
    A listed failure names the author's line that raised the exception.

    Raises only an interrupt, if one arrives while the text of the exception is made.
    """
    if type(exc) is TimeLimitReached and is_ours(exc):
        exc = exc.becomes
    listed = not any(_LISTED in attributes(e) for e in chain(exc))
    attributes(exc)[_LISTED] = True
    if natural and endless(exc) == SOCKET:
        marked(exc)
    try:
        error, censored = classify(exc), is_cut(exc) and (natural or not endless(exc))
    except BaseException as odd:
        if is_interrupt(odd):
            raise
        error, censored = class_name(exc), False
    reason = _reason_text(exc)
    if not listed:
        return Failure(error, encodable(reason, WORDS), False, censored)
    places = tuple(author_places(exc)[-TRACE:])
    where = encodable(str(places[-1]), LONGEST_NAME) if places else ""
    message = with_place(reason, where, WORDS)
    own = (Trace(places, message),) if places else ()
    return Failure(error, message, listed, censored, where=where, traces=(*_causes(exc), *own))


def traces_of(exc: BaseException) -> tuple[Trace, ...]:
    """Return the author's lines that led to *exc* and to the exceptions that caused it, the first cause first."""
    places = tuple(author_places(exc)[-TRACE:])
    return (*_causes(exc), *((Trace(places, describe(exc)),) if places else ()))


def _causes(exc: BaseException) -> tuple[Trace, ...]:
    """Return the traces of the exceptions that caused *exc*, or that were handled as it was raised, the first first."""
    found: list[Trace] = []
    for _ in range(CAUSES):
        cause = _CAUSE.__get__(exc)
        if cause is None and not _NO_CONTEXT.__get__(exc):
            cause = _CONTEXT.__get__(exc)
        if cause is None:
            break
        exc = cause
        places = tuple(author_places(exc)[-TRACE:])
        if places:
            found.insert(0, Trace(places, encodable(describe(exc), WORDS)))
    return tuple(found)


def clear_listed(exc: BaseException) -> None:
    """Remove the mark of having been listed from *exc* and the exceptions it wraps.

    Call it where *exc* has reached its last handler, so that a later raise of the same object is listed again.
    """
    for each in chain(exc):
        attributes(each).pop(_LISTED, None)


def _reason_text(exc: BaseException) -> str:
    """Return "Class: text". For an exception that wraps a retry error (urllib3) the text is the retry's reason."""
    for inner in _ARGS.__get__(exc)[:1]:
        reason: Any = attributes(inner).get("reason") if is_a(inner, BaseException) else None
        if is_a(reason, Exception):
            return f"{class_name(exc)}: {text_of(reason)}"
    return describe(exc)
