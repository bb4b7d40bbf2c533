"""A `requests.Response` that builds its attributes on first access."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from io import BytesIO
from math import inf
from typing import Any

import requests
from requests import compat
from requests.cookies import RequestsCookieJar, extract_cookies_to_jar
from requests.exceptions import ContentDecodingError, JSONDecodeError, RequestException
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3.exceptions import DecodeError

from chaperon.client.http.body import Body
from chaperon.client.http.content_encoding import STEP, TRUNCATED, cut_off
from chaperon.client.http.cookies import Jar
from chaperon.client.http.deadline import CallBudget, in_time
from chaperon.client.http.extract import Extractors
from chaperon.client.http.json_codec import decode
from chaperon.client.http.parser import fields
from chaperon.client.network.exceptions import sent_again, too_large
from chaperon.client.outcome import Judged
from chaperon.client.timings import Timings
from chaperon.errors import BodyTooLarge, DeadlineExceeded
from chaperon.interrupts import is_a
from chaperon.measure.failures import chain

BEGINNING = 8_000
"""Bytes kept of the beginning of a streamed body, for the report of a response that is an error."""


class HttplibShim:
    """Stands in for the `http.client` response under the urllib3 response of a complete body.

    `requests` reads cookies from it.
    """

    __slots__ = ("msg", "version")

    def __init__(self, msg: HTTPHeaderDict, version: int) -> None:
        self.msg = msg
        self.version = version

    def isclosed(self) -> bool:
        """Return False: there is no connection to release."""
        return False

    def close(self) -> None:
        """Do nothing: the body is complete."""


class ParsedHead:
    """The parsed head of a response: *version* (10 or 11), *reason*, *headers*."""

    __slots__ = ("headers", "reason", "version")

    def __init__(self, head: bytes) -> None:
        line, _, _ = head.partition(b"\r\n")
        version, _, rest = line.decode("latin-1").partition(" ")
        self.version = 10 if version == "HTTP/1.0" else 11
        self.reason = rest.partition(" ")[2].strip()
        self.headers = HTTPHeaderDict(fields(head))


class Response(Extractors, Judged, requests.Response):
    """A `requests.Response` with extractors, stage timings, and a record at the end of a streamed body."""

    timings: Timings
    """Seconds spent in each stage of the request; receiving grows while a body is streamed."""
    reused: bool
    """Whether the request was sent over a connection from an earlier request."""
    _next = None
    _content_consumed = True  # unless the constructor of `requests.Response` says otherwise
    _body: Body | None = None
    _fault: BaseException | None = None
    """What ended an iteration over the body; `requests` reads the body of a redirect, and goes on without it."""
    _beginning = b""
    _json_head = b""
    """The last head of any response that is plainly JSON: many servers repeat it for a second."""
    _iterating = False
    _ending: Callable[[BaseException | None], None] | None = None
    _limit = inf
    _until = inf
    _now: Callable[[], float]

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        if name == "_arrived" and "_sent" in own:
            return own["_sent"].arrived
        build = _LAZY.get(name)
        if build is None or not ("_sent" in own or "_arrived" in own):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if name == "timings" and self._body is not None and not self._body.isclosed():
            return build(self)  # not cached: the body is still being received
        value = own[name] = build(self)
        return value

    def watch(self, body: Body, began: float, limit: float) -> None:
        """Attach a streamed *body* whose request began at clock reading *began*; *limit* is in decoded bytes."""
        self._body, self._arrived, self._began, self._limit = body, body.arrived, began, limit
        body.on_end = self._body_ended

    def apply_budget(self, bounds: CallBudget) -> None:
        """Apply deadline and size limit of *bounds* to a body that urllib3 reads."""
        self._until, self._limit, self._now = bounds

    def json(self, **kwargs: Any) -> Any:
        """Return the body parsed as JSON; see `requests.Response.json`.

        Raises `requests.exceptions.JSONDecodeError`. Blocks while a streamed body is incomplete.
        """
        if kwargs or type(self._content) is not bytes or not (self._plainly_json or self.encoding == "utf-8"):
            return super().json(**kwargs)
        try:
            return decode(str(self._content, "utf-8", "replace"))
        except compat.JSONDecodeError as exc:
            raise JSONDecodeError(exc.msg, exc.doc, exc.pos) from exc

    @property
    def _plainly_json(self) -> bool:
        """Whether the type is exactly application/json and no encoding was set, so that the body is UTF-8."""
        own = self.__dict__
        sent = own.get("_sent")
        arrived = own.get("_arrived") if sent is None else sent.arrived
        if "encoding" in own or arrived is None:
            return False
        if arrived.head == Response._json_head:
            return True
        head = arrived.head.lower()
        place = head.find(b"\r\ncontent-type:")
        if place < 0 or not head.startswith(b"\r\ncontent-type: application/json\r\n", place):
            return False
        if head.find(b"\r\ncontent-type:", place + 2) >= 0:
            return False
        Response._json_head = arrived.head
        return True

    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Iterator[Any]:
        """Iterate over the decoded body; see `requests.Response.iter_content`.

        Raises BodyTooLarge and DeadlineExceeded, both `requests` exceptions, beyond the limits of the call.
        """
        if chunk_size is None and self._limit < inf and "content-encoding" in self.headers:
            chunk_size = STEP  # decoded in one piece, the body would exceed the limit before it is checked
        chunks = super().iter_content(chunk_size, decode_unicode)
        return chunks if self._content_consumed else self._watched(chunks)

    def _watched(self, chunks: Iterator[Any]) -> Iterator[Any]:
        got = 0
        self._iterating = True
        try:
            for chunk in self._timely(chunks):
                got += len(chunk)
                if len(self._beginning) < BEGINNING and isinstance(chunk, bytes):
                    self._beginning += chunk[:BEGINNING]
                if got > self._limit:
                    raise too_large(self._limit)
                yield chunk
            if cut_off(self.raw):
                raise ContentDecodingError(DecodeError(TRUNCATED))
            if self._body is not None and self._body.fault is not None:
                raise self._body.fault  # cut off behind the last chunk, which `http.client` accepts
        except BaseException as exc:
            fault = self._fault_behind(exc)
            self._end(None if is_a(exc, GeneratorExit) else fault)
            if not is_a(exc, GeneratorExit):
                self._fault = fault
                if self._body is not None and self._body.arrived.retried:
                    sent_again(fault)
                (self._body or self.raw).close()
            if fault is not exc:
                raise fault from exc
            raise
        self._end(None)

    def _timely(self, chunks: Iterator[Any]) -> Iterator[Any]:
        if self._until == inf:
            yield from chunks
            return
        while True:
            with in_time(self._until, self._now):
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk

    def _fault_behind(self, exc: BaseException) -> BaseException:
        """Return the DeadlineExceeded or BodyTooLarge that urllib3 wrapped in *exc*, or *exc*; set its request."""
        found = next((e for e in chain(exc) if is_a(e, DeadlineExceeded, BodyTooLarge)), exc)
        if is_a(found, RequestException) and found.request is None:
            found.request = self.request
        return found

    def close(self) -> None:
        """Close the response; a streamed body that is incomplete closes its connection."""
        self._end(None)
        if "_sent" not in self.__dict__:
            super().close()

    def _body_ended(self, exc: BaseException | None) -> None:
        """End the sample of a body that was read through `raw`; `_watched` ends that of an iteration, checked."""
        if not self._iterating:
            self._end(exc)

    def _end(self, exc: BaseException | None) -> None:
        ending, self._ending = self._ending, None
        if ending is not None:
            ending(exc)


def add_extractors(response: requests.Response) -> None:
    """Give a response from another source, such as a mounted adapter or a mock, the methods of `Extractors` and `fail`.

    One of exactly `requests.Response` also gets stream tracking.
    """
    if isinstance(response, Extractors):
        return
    if type(response) is requests.Response:
        response.__class__ = Response  # no attribute differs
        return
    kind: Any = type(response)
    with suppress(TypeError):  # a class of another memory layout
        response.__class__ = _extended(kind)


@lru_cache(maxsize=64)
def _extended(kind: Any) -> Any:
    return type(kind.__name__, (Extractors, Judged, kind), {"__module__": kind.__module__})


@lru_cache(maxsize=256)
def _encoding(content_type: str) -> str | None:
    found: str | None = get_encoding_from_headers({"content-type": content_type})
    return found


def content_type(head: bytes) -> str | None:
    """Return the Content-Type value in a head, "" if there is none, None if there are several."""
    low = head.lower()
    start = low.find(b"\r\ncontent-type:")
    if start < 0:
        return ""
    start += len(b"\r\ncontent-type:")
    if low.find(b"\r\ncontent-type:", start) >= 0:
        return None
    end = head.find(b"\r\n", start)
    return head[start : len(head) if end < 0 else end].decode("latin-1").strip(" \t")


def _read_encoding(reply: Any) -> str | None:
    said = content_type(reply._arrived.head)
    if said is None:
        found: str | None = get_encoding_from_headers(reply.headers)
        return found
    return _encoding(said) if said else None


def _read_raw(reply: Any) -> HTTPResponse:
    head, arrived = reply._parsed_head, reply._arrived
    raw = HTTPResponse(
        BytesIO(arrived.body),
        headers=head.headers,
        status=arrived.status,
        version=head.version,
        reason=head.reason,
        preload_content=False,
        decode_content=False,
        original_response=HttplibShim(head.headers, head.version),  # type: ignore[arg-type]
        request_method=reply._sent.encoded.template.prepared.method,
        enforce_content_length=False,
    )
    raw.read(decode_content=False)  # so that `raw.tell()` returns the size of the body
    return raw


def _read_cookies(reply: Any) -> RequestsCookieJar:
    jar = Jar()
    extract_cookies_to_jar(jar, reply.request, reply.raw)  # type: ignore[no-untyped-call]
    return jar


def _read_timings(reply: Any) -> Timings:
    arrived = reply._arrived
    opening = arrived.opening
    spent = arrived.ready - reply._began
    ended = reply._ended if reply._body is None else reply._body.ended
    dns, tcp, tls = opening or (0.0, 0.0, 0.0)
    return Timings(
        queued=max(spent - dns - tcp - tls, 0.0),
        dns=dns,
        tcp=tcp,
        tls=tls,
        sending=arrived.sent - arrived.ready,
        waiting=arrived.first - arrived.sent,
        receiving=ended - arrived.first,
    )


_LAZY: dict[str, Callable[[Any], Any]] = {
    "_parsed_head": lambda reply: ParsedHead(reply._arrived.head),
    "headers": lambda reply: CaseInsensitiveDict(reply._parsed_head.headers),
    "reason": lambda reply: reply._parsed_head.reason,
    "encoding": _read_encoding,
    "raw": _read_raw,
    "cookies": _read_cookies,
    "request": lambda reply: reply._sent.encoded.prepared,
    "url": lambda reply: reply._sent.encoded.url,
    "connection": lambda reply: reply._sent.adapter,
    "_began": lambda reply: reply._sent.began,
    "_ended": lambda reply: reply._sent.ended,
    "elapsed": lambda reply: timedelta(seconds=reply._arrived.first - reply._began),
    "history": lambda reply: [],
    "timings": _read_timings,
    "reused": lambda reply: reply._arrived.opening is None,
}
