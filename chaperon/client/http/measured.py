"""A `requests.Session` that records every call as a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from typing import Any

import requests

from chaperon.client.current import Measuring
from chaperon.client.exchange import keep_exchange, wire_bytes
from chaperon.client.http.adapter import timeouts_of
from chaperon.client.http.cookies import Jar
from chaperon.client.http.deadline import bind, bounds_of, mark_hop
from chaperon.client.http.fast_path import UsualClients, send_fast, send_usual
from chaperon.client.http.metrics import count_extras, record_exception, record_response
from chaperon.client.http.response import Response, add_extractors
from chaperon.client.http.session import FastSession, is_set_up_by_requests, is_stranger
from chaperon.client.http.urllib3_adapter import BoundedHTTPAdapter, within
from chaperon.client.mocks import intercepted, replaced_send, stand_in
from chaperon.client.network.connect import NetworkContext
from chaperon.client.network.exceptions import base_missing
from chaperon.client.outcome import Expect
from chaperon.client.request_limits import deadline_of, max_body_of, timeout_of_call
from chaperon.client.service import MAX_BODY, Service
from chaperon.clock import default_clock
from chaperon.errors import UsageError
from chaperon.measure.failures import failure_of
from chaperon.measure.meter import Meter
from chaperon.measure.recorder import Recorder

LABELS = 1_000
"""Series names cached per service."""


class MeasuredSession(FastSession):
    """The HTTP client of one session for one service.

    It is a `requests.Session`, so SDKs built on `requests` can use it. Each call is one sample,
    redirects included; redirects and retries are also counted in series of their own. Calls raise
    `requests` exceptions, after recording the failure.

    A common request takes the fast path: its head comes from a cached template, and the response is
    parsed only when its attributes are read. All other features go through `requests` itself, over the
    same connections.
    """

    __slots__ = ("meter",)
    """Not in `__dict__`, which all sessions made by `through` share."""

    def __init__(
        self,
        meter: Meter | None = None,
        service: Service | None = None,
        cookies: Jar | None = None,
        wire: NetworkContext | None = None,
    ) -> None:
        meter = meter or _unheard()
        network = wire or NetworkContext(now=meter.clock.now)
        super().__init__(service or Service(), cookies, network)
        count_note = meter.recorder.count_note
        self.cookies.refused = lambda sentence: count_note(network.cookie_note(sentence))
        self._begin(meter, network)

    def _begin(self, meter: Meter, network: NetworkContext) -> None:
        self.meter = meter
        self.unreached = network.unreached
        self.streams: set[Response] = set()
        # kept with the service, so that no other one gets its id
        labels = network.shared.setdefault(("labels", id(self.service)), (self.service, {}))
        self._labels: dict[tuple[str, str], str] = labels[1]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._begin(_unheard(), NetworkContext())

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
        """Send a request and return its response; *url* may be a path relative to the service.

        *name* is the name of the series. *expect* decides which responses are good: a status, a collection
        of statuses, or a predicate of the response; by default every status below 400. *deadline* (a time
        for the whole call) and *max_body* (bytes of decoded body) default to the service's; None removes the
        limit. With *stream* the body has no limit unless *max_body* is given, here or for the service. The other
        parameters are those of `requests`. Blocks until the response is complete, or with *stream* until its
        head is. Raises `requests` exceptions, and PlanError and UsageError for limits that are none.
        """
        if timeout is not ... or deadline is not ... or max_body is not ...:
            timeout, deadline, max_body = timeout_of_call(timeout), deadline_of(deadline), max_body_of(max_body)
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
            encoded = self._encoded(method, url, params, data, json, headers)
            if encoded is not None:
                timeouts = self._timeouts if timeout is ... else timeouts_of(timeout, self._total)
                if deadline is not ...:
                    timeouts = timeouts._replace(total=inf if deadline is None else deadline)
                limit = self._limit if max_body is ... else inf if max_body is None else max_body
                label = name or ("" if encoded.slot is None else encoded.slot.name) or self._labels.get((method, url))
                label = label or self._label(method, url)
                pool = encoded.templates.pool
                reply: Response = send_fast(
                    self, self.meter, pool, encoded, label, timeouts, limit, allow_redirects, expect
                )
                return reply
        if cookies is not None and isinstance(self.cookies, Jar):
            self.cookies.report_values(cookies)
        url = url.decode() if isinstance(url, bytes) else str(url)
        return self._send_by_requests(
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

    def through(self, meter: Meter) -> MeasuredSession:
        """Return a session that records to *meter* and shares all attributes with this one.

        They are one session: what is set on either, such as `auth` or `verify`, holds for both.
        """
        if meter is self.meter:
            return self
        twin = MeasuredSession.__new__(MeasuredSession)
        twin.__dict__ = self.__dict__
        twin.meter = meter
        return twin

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a prepared request and record it as one sample; see `request`."""
        hop = kwargs.pop("hop", None)
        if hop is not None:
            bind(request, hop)
            mark_hop(request)
            if is_stranger(request):
                kwargs["cert"] = None
            return self._dispatch(request, **kwargs)
        if getattr(request, "_chaperon_measured", False):  # handed back by a mock that replaces `send`
            return super().send(request, **kwargs)
        return self._measure(request, **kwargs)

    def _measure(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        name = kwargs.pop("name", None)
        expect = kwargs.pop("expect", None)
        total, limit = deadline_of(kwargs.pop("deadline", ...)), max_body_of(kwargs.pop("max_body", ...))
        if limit is ... and kwargs.get("stream", self.stream) and self.service.max_body == MAX_BODY:
            limit = None  # the default is for bodies kept in memory
        kwargs.setdefault("timeout", self.service.timeout)
        kwargs.setdefault("cert", self.certificate_for(request.url or ""))
        if isinstance(request, requests.PreparedRequest):
            bind(request, self._bounds(self.meter.clock.now, total, limit))
        stream = kwargs.get("stream", self.stream)
        return self.record_call(lambda: self._dispatch(request, **kwargs), request, name, expect, stream=stream)

    def record_call(
        self,
        send: Callable[[], requests.Response],
        request: requests.PreparedRequest,
        name: str | None = None,
        expect: Expect | None = None,
        *,
        stream: bool,
    ) -> requests.Response:
        """Call *send*, which sends *request*, record it as one sample, and return the response.

        The sample of a *stream* ends with its body. Raises what *send* raises, after recording the failure.
        """
        name = name or self.service.label(request.method or "GET", request.url or "")
        now = self.meter.clock.now
        start, lag = now(), self.meter.recorder.lag
        lag.begin(start)
        try:
            with Measuring():
                response = send()
            if isinstance(response, Response) and response._fault is not None:
                raise response._fault  # a redirect that is not followed, with a body that was cut off
        except BaseException as exc:
            end = now()
            lag.end(end)
            record_exception(self.meter, name, start, end, exc, request)
            self.unreached.record_refused(request.url or "", exc)
            raise
        end = now()
        lag.end(end)
        self.unreached.set_reached()
        add_extractors(response)
        count_extras(self.meter, response, name, start, end, timed=self.service.timings)
        if stream and not response._content_consumed and isinstance(response, Response):  # type: ignore[attr-defined]
            self._follow(response, name, start, expect)
        else:
            record_response(self.meter, response, name, start, end, expect)
        return response

    def resolve_redirects(self, resp: Any, req: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Follow redirects within the sample and the budget of the first request; see `requests`."""
        kwargs.setdefault("hop", bounds_of(req) or self._bounds(self.meter.clock.now))
        yield from super().resolve_redirects(resp, req, *args, **kwargs)

    def close_streams(self) -> None:
        """Close the streamed responses that are still open, so that each is recorded."""
        for reply in list(self.streams):
            reply.close()

    def _label(self, method: str, url: str) -> str:
        if len(self._labels) >= LABELS:
            self._labels.clear()
        label = self._labels[method, url] = self.service.label(method, url)
        return label

    # requests that need a feature of `requests` which the fast path lacks

    def _locate(self, url: str) -> str:
        if ":" in url and not self.service.url:
            return url  # `requests` validates it
        try:
            return self.service.locate(url)
        except UsageError as exc:
            self.unreached.record_no_base()
            raise base_missing(str(exc)) from None

    def _send_by_requests(
        self, request: requests.Request, settings: tuple[Any, ...], **kwargs: Any
    ) -> requests.Response:
        proxies, stream, verify, cert = settings
        prepared = self.prepare_request(request)
        merged = self.merge_environment_settings(prepared.url or "", proxies or {}, stream, verify, cert)
        return self._measure(prepared, **kwargs, **merged)

    def _dispatch(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        send = super().send
        replaced = replaced_send(self)
        if replaced is not None:
            request._chaperon_measured = True  # type: ignore[attr-defined]
            send = replaced
        elif intercepted():
            send = getattr(stand_in(self), "send", send)
        bounds = bounds_of(request)
        if bounds is None or isinstance(self.get_adapter(request.url or ""), BoundedHTTPAdapter):
            return send(request, **kwargs)
        return within(bounds, send, request, **{"stream": self.stream, **kwargs})

    def _follow(self, response: requests.Response, name: str, start: float, expect: Expect | None) -> None:
        assert isinstance(response, Response)

        def ending(exc: BaseException | None) -> None:
            self.streams.discard(response)
            end = self.meter.clock.now()
            if exc is not None:
                failure = failure_of(exc)
                if failure.error == "interrupted" and _is_event_stream(response):
                    failure = failure._replace(censored=False)  # an event stream has no natural end to wait for
                self.meter.record(name, "http", start, end, failure, wire_bytes(response))
                keep_exchange(self.meter, name, start, end, failure, response=response)
            else:
                record_response(self.meter, response, name, start, end, expect)

        response._ending = ending
        self.streams.add(response)


def usual_clients(meter: Meter, service: Service, wire: NetworkContext) -> UsualClients:
    """Return what makes the clients of the sessions of one scenario, which record with forks of *meter*."""
    session = MeasuredSession(meter.fork(), service, None, wire)
    return UsualClients(session, session.usual_templates(), is_set_up_by_requests, send_usual)


def _is_event_stream(response: requests.Response) -> bool:
    return response.headers.get("content-type", "").startswith("text/event-stream")


def _unheard() -> Meter:
    """Return a meter whose samples are discarded, for a session outside a run: unpickled, or created directly."""
    clock = default_clock()
    return Meter(Recorder("nobody", began=clock.now()), clock, "nobody")
