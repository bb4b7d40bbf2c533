"""A `requests.Session` whose every call is measured."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any

import requests
from requests.cookies import extract_cookies_to_jar
from requests.exceptions import RequestException
from requests.models import REDIRECT_STATI

from chaperon.client.adapter import terms_of
from chaperon.client.bounds import Bounds, bind, bounds_of
from chaperon.client.connection import Terms
from chaperon.client.decoding import decoded
from chaperon.client.faults import BaseMissing
from chaperon.client.heads import Composed
from chaperon.client.memory import Jar
from chaperon.client.reply import Reply
from chaperon.client.response import Expect, failure_of, judge, wire_bytes
from chaperon.client.service import Service
from chaperon.client.stock import Stock, within
from chaperon.client.timings import Timings
from chaperon.client.transport import Wire
from chaperon.client.wired import WireSession
from chaperon.clock import HubClock
from chaperon.errors import UsageError
from chaperon.measure.meter import Meter
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure

LABELS = 1_000
_now = HubClock.now
OPENING = frozenset({"dns", "tcp", "tls"})


class Http(WireSession):
    """The HTTP hands of one session towards one service.

    It is a `requests.Session`, so an SDK written on `requests` can be handed it. A call is
    one sample, its redirects included; redirects and retries are counted beside it. Raises
    what `requests` raises, after it has been recorded.

    A usual request takes the short way: its head is composed from what the last one of its
    shape had, sent, and the answer is kept as bytes until somebody looks at it. Whatever
    else `requests` can do goes through `requests` itself, over the same connections.
    """

    def __init__(
        self,
        meter: Meter | None = None,
        service: Service | None = None,
        cookies: Jar | None = None,
        wire: Wire | None = None,
    ) -> None:
        super().__init__(service or Service(), cookies, wire)
        self._begin(meter or _unheard())

    def _begin(self, meter: Meter) -> None:
        self.meter = meter
        self.streams: set[Reply] = set()
        self._labels: dict[tuple[str, str], str] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._begin(_unheard())

    def request(  # type: ignore[override]
        self,
        method: str,
        url: Any,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        cookies: Any = None,
        files: Any = None,
        auth: Any = None,
        timeout: Any = ...,
        allow_redirects: bool = True,
        proxies: Any = None,
        hooks: Any = None,
        stream: bool | None = None,
        verify: Any = None,
        cert: Any = None,
        json: Any = None,
        *,
        name: str | None = None,
        expect: Expect | None = None,
        deadline: Any = ...,
        max_body: Any = ...,
    ) -> requests.Response:
        """Send a request; *url* may be a path of the service.

        *name* is the series it is counted under, *expect* says which responses are good.
        *deadline* (seconds, for the call as a whole) and *max_body* (bytes) are the
        service's unless given; None lifts them.
        """
        if (
            cookies is None
            and files is None
            and auth is None
            and proxies is None
            and hooks is None
            and not stream
            and verify is None
            and cert is None
        ):
            composed = self._composed(method, url, params, data, json, headers)
            if composed is not None:
                terms = self._terms if timeout is ... else terms_of(timeout, self._total)
                if deadline is not ...:
                    terms = terms._replace(total=inf if deadline is None else deadline)
                limit = self._limit if max_body is ... else inf if max_body is None else max_body
                label = name or self._labels.get((method, url)) or self._label(method, url)
                return self._swift(composed, label, terms, limit, allow_redirects, expect)
        url = url.decode() if isinstance(url, bytes) else str(url)
        return self._in_full(
            requests.Request(
                method.upper(),
                self._locate(url),
                headers=headers,
                files=files,
                data=data or {},
                json=json,
                params=params or {},
                auth=auth,
                cookies=cookies,
                hooks=hooks,
            ),
            (proxies, stream, verify, cert),
            timeout=self.service.timeout if timeout is ... else timeout,
            allow_redirects=allow_redirects,
            name=name or self.service.label(method.upper(), url),
            expect=expect,
            deadline=deadline,
            max_body=max_body,
        )

    def through(self, meter: Meter) -> Http:
        """Return the same HTTP, cookies and connections included, measured by another meter."""
        if meter is self.meter:
            return self
        twin = Http.__new__(Http)
        twin.__dict__ = {**self.__dict__, "meter": meter}
        return twin

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a prepared request, measured as one sample; see `request`."""
        hop = kwargs.pop("hop", None)
        if hop is not None:
            bind(request, hop)
            return self._dispatch(request, **kwargs)
        name = kwargs.pop("name", None) or self.service.label(request.method or "GET", request.url or "")
        expect = kwargs.pop("expect", None)
        total, limit = kwargs.pop("deadline", ...), kwargs.pop("max_body", ...)
        kwargs.setdefault("timeout", self.service.timeout)
        if isinstance(request, requests.PreparedRequest):
            bind(request, self._bounds(_now(), total, limit))
        now = self.meter.clock.now
        start = now()
        try:
            response = self._dispatch(request, **kwargs)
        except BaseException as exc:
            self.meter.take(name, "http", start, now(), failure_of(exc))
            raise
        end = now()
        if type(response) is requests.Response:  # another adapter's: it is read in the same way
            response.__class__ = Reply
        self._count_beside(response, name, start, end)
        if kwargs.get("stream", self.stream) and not response._content_consumed:  # type: ignore[attr-defined]
            self._follow(response, name, start, expect)
        else:
            self._settle(response, name, start, end, expect)
        return response

    def resolve_redirects(self, resp: Any, req: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Follow redirects within the sample, the bounds of the request that began them."""
        kwargs.setdefault("hop", bounds_of(req) or self._bounds(_now()))
        yield from super().resolve_redirects(resp, req, *args, **kwargs)

    def let_go(self) -> None:
        """Close what was streamed and left open, so that it is counted."""
        for reply in list(self.streams):
            reply.close()

    # the short way

    def _swift(
        self,
        composed: Composed,
        name: str,
        terms: Terms,
        limit: float,
        allow_redirects: bool,
        expect: Expect | None,
    ) -> Reply:
        sheet, shape, wire, target, _ = composed
        now = self.meter.clock.now
        start = now()
        try:
            arrived = sheet.lane.exchange(wire, target, terms, limit, shape.bare, shape.safe)
            body, head = arrived.body, arrived.head.lower()
            if body and b"\r\ncontent-encoding:" in head:
                body = decoded(arrived.head, body, limit)
        except BaseException as exc:
            if isinstance(exc, RequestException):
                exc.request = composed.prepared
            self.meter.take(name, "http", start, now(), failure_of(exc))
            raise
        end = now()
        reply: Any = Reply.__new__(Reply)
        reply.status_code = status = arrived.status
        reply._content = body
        reply._content_consumed = True
        reply._next = None
        reply.url = sheet.origin + target
        reply._arrived = arrived
        reply._composed = composed
        reply._began = start
        reply._ended = end
        reply.connection = sheet.adapter
        if b"\r\nset-cookie:" in head:
            lines = [reply.url.partition("?")[0], *reply._told.headers.getlist("set-cookie")]
            if not self.cookies.familiar(lines):
                extract_cookies_to_jar(self.cookies, reply.request, reply.raw)  # type: ignore[no-untyped-call]
                self.cookies.remember(lines)
        if status in REDIRECT_STATI and b"\r\nlocation:" in head:
            return self._redirected(reply, name, terms, limit, allow_redirects, expect)
        if arrived.retried or self.service.timings:
            self._count_beside(reply, name, start, end)
        if expect is None and status < 400:
            self.meter.take(name, "http", start, end, None, len(arrived.body))
        else:
            self._settle(reply, name, start, end, expect)
        return reply  # type: ignore[no-any-return]

    def _redirected(
        self, reply: Reply, name: str, terms: Terms, limit: float, allow: bool, expect: Expect | None
    ) -> Reply:
        """Follow a redirect as `requests` does, within one sample."""
        now, start = self.meter.clock.now, reply._began
        reply.request = request = reply._composed.prepared
        bind(request, Bounds(reply._arrived.ready + terms.total, limit))
        timeout = tuple(None if t == inf else t for t in terms[:2])
        settings = {"stream": False, "timeout": timeout, "verify": self.verify, "cert": self.cert, "proxies": {}}
        found = reply
        try:
            if allow:
                history = [reply, *self.resolve_redirects(reply, request, **settings)]
                found = history.pop()
                found.history = history
            else:
                reply._next = next(  # type: ignore[attr-defined]
                    self.resolve_redirects(reply, request, yield_requests=True, **settings), None)
        except BaseException as exc:
            self.meter.take(name, "http", start, now(), failure_of(exc))
            raise
        end = now()
        self._count_beside(found, name, start, end)
        self._settle(found, name, start, end, expect)
        return found

    def _label(self, method: str, url: str) -> str:
        if len(self._labels) >= LABELS:
            self._labels.clear()
        label = self._labels[method, url] = self.service.label(method, url)
        return label

    # the long way

    def _locate(self, url: str) -> str:
        if ":" in url and not self.service.url:
            return url  # `requests` says what is wrong with it, if anything is
        try:
            return self.service.locate(url)
        except UsageError as exc:
            raise BaseMissing(str(exc)) from None

    def _in_full(self, request: requests.Request, settings: tuple[Any, ...], **kwargs: Any) -> requests.Response:
        proxies, stream, verify, cert = settings
        prepared = self.prepare_request(request)
        merged = self.merge_environment_settings(prepared.url or "", proxies or {}, stream, verify, cert)
        return self.send(prepared, **kwargs, **merged)

    def _dispatch(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        bounds = bounds_of(request)
        if bounds is None or isinstance(self.get_adapter(request.url or ""), Stock):
            return super().send(request, **kwargs)
        return within(bounds, super().send, request, **{"stream": self.stream, **kwargs})

    def _settle(
        self, response: requests.Response, name: str, start: float, end: float, expect: Expect | None
    ) -> None:
        failure: Failure | None
        try:
            failure = judge(response, expect)
        except Exception as exc:
            self.meter.take(name, "http", start, end, failure_of(exc), wire_bytes(response))
            raise
        self.meter.take(name, "http", start, end, failure, wire_bytes(response))

    def _count_beside(self, response: requests.Response, name: str, start: float, end: float) -> None:
        """Count what stands beside the sample: redirects, retries, where the time went."""
        replies: list[Any] = [r for r in (*response.history, response) if hasattr(r, "_arrived")]
        retried = sum(r._arrived.retried for r in replies)
        for what, n in (("redirects", len(response.history)), ("retries", retried)):
            if n:
                self.meter.take(f"{what} {name}", "count", start, end, value=float(n))
        if not self.service.timings:
            return
        for reply in replies:
            timings: Timings = reply.timings
            for part, spent in zip(Timings._fields, timings, strict=True):
                if not (reply.reused and part in OPENING):
                    self.meter.take(f"{part} {name}", "value", start, end, value=spent)
            self.meter.take(f"connections {'reused' if reply.reused else 'opened'}", "count", start, end, value=1.0)

    def _follow(self, response: requests.Response, name: str, start: float, expect: Expect | None) -> None:
        assert isinstance(response, Reply)

        def ending(exc: BaseException | None) -> None:
            self.streams.discard(response)
            end = self.meter.clock.now()
            if exc is not None:
                self.meter.take(name, "http", start, end, failure_of(exc), wire_bytes(response))
            else:
                self._settle(response, name, start, end, expect)

        response._ending = ending
        self.streams.add(response)


def _unheard() -> Meter:
    """Return a meter nobody reads, for a session that has left its run: unpickled, or made by hand."""
    clock = HubClock()
    return Meter(Recorder("nobody", began=clock.now()), clock, "nobody")
