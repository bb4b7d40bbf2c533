"""A `requests.Session` whose every call is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import requests
from requests.cookies import RequestsCookieJar, merge_cookies
from requests.structures import CaseInsensitiveDict

from chaperon._version import VERSION
from chaperon.client.pools import Pools
from chaperon.client.response import Expect, failure_of, judge, wire_bytes
from chaperon.client.service import Service
from chaperon.clock import HubClock
from chaperon.measure.meter import Meter
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure

HOSTS = 6
CONNECTIONS = 6
"""Kept open per user and host, as browsers do."""


class Reply(requests.Response):
    """A streamed response: its sample ends when the body is read or closed."""

    _ending: Callable[[BaseException | None], None] | None = None

    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Iterator[Any]:
        return self._watched(super().iter_content(chunk_size, decode_unicode))

    def _watched(self, chunks: Iterator[Any]) -> Iterator[Any]:
        try:
            yield from chunks
        except BaseException as exc:
            self._end(None if isinstance(exc, GeneratorExit) else exc)
            raise
        self._end(None)

    def close(self) -> None:
        self._end(None)
        super().close()

    def _end(self, exc: BaseException | None) -> None:
        ending, self._ending = self._ending, None
        if ending is not None:
            ending(exc)


class Http(requests.Session):
    """The HTTP hands of one session towards one service.

    It is a `requests.Session`, so an SDK written on `requests` can be handed it. A call is
    one sample, its redirects included; redirects are counted beside it. Raises what
    `requests` raises, after it has been recorded.

    It can be pickled; what comes of that is outside of any run, where nobody asks what it measured.
    """

    __attrs__ = [*requests.Session.__attrs__, "service"]  # noqa: RUF012 - as its base

    def __init__(self, meter: Meter, service: Service, cookies: RequestsCookieJar | None = None) -> None:
        super().__init__()
        adapter = Pools(hosts=HOSTS, connections=CONNECTIONS)
        self.adapters.clear()
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        self.meter = meter
        self.service = service
        self.trust_env = service.trust_env
        self.auth = service.auth
        self.verify = service.verify
        self.cert = service.cert
        if cookies is not None:
            self.cookies = cookies
        self.headers["User-Agent"] = f"chaperon/{VERSION}"
        self.headers.update(service.headers)
        self._streams: set[Reply] = set()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        self.meter = Meter(Recorder("nobody", began=0.0), HubClock(), "")
        self._streams = set()

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
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
    ) -> requests.Response:
        """Send a request; *url* may be a path of the service.

        *name* is the series it is counted under, *expect* says which responses are good.
        """
        method = method.upper()
        whole = self.service.locate(url)
        prepared = self.prepare_request(
            requests.Request(
                method,
                whole,
                headers=headers,
                files=files,
                data=data or {},
                json=json,
                params=params or {},
                auth=auth,
                cookies=cookies,
                hooks=hooks,
            )
        )
        settings = self.merge_environment_settings(prepared.url or whole, proxies or {}, stream, verify, cert)
        return self.send(
            prepared,
            timeout=self.service.timeout if timeout is ... else timeout,
            allow_redirects=allow_redirects,
            name=name or self.service.label(method, url),
            expect=expect,
            **settings,
        )

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Prepare a request as `requests` does, at less cost where there is nothing to merge."""
        if self.trust_env or self.params or request.cookies:
            return super().prepare_request(request)
        headers = self.headers
        if request.headers or None in headers.values():
            headers = CaseInsensitiveDict(headers)
            headers.update(request.headers)
            for name in [name for name, value in headers.items() if value is None]:
                del headers[name]
        prepared = requests.PreparedRequest()
        prepared.prepare(
            method=request.method,
            url=request.url,
            files=request.files,
            data=request.data,
            json=request.json,
            headers=headers,
            params=request.params or None,
            auth=self.auth if request.auth is None else request.auth,
            cookies=merge_cookies(RequestsCookieJar(), self.cookies),  # type: ignore[no-untyped-call]
            hooks=request.hooks if request.hooks.get("response") else self.hooks,
        )
        return prepared

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return a request's settings over the session's, at less cost where nothing has to be merged."""
        if self.trust_env or proxies:
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        return {
            "proxies": self.proxies,
            "stream": self.stream if stream is None else stream,
            "verify": self.verify if verify is None else verify,
            "cert": self.cert if cert is None else cert,
        }

    def through(self, meter: Meter) -> Http:
        """Return the same HTTP, cookies and connections included, measured by another meter."""
        if meter is self.meter:
            return self
        twin = Http.__new__(Http)
        twin.__dict__ = {**self.__dict__, "meter": meter}
        return twin

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a prepared request, measured as one sample; see `request`."""
        if kwargs.pop("hop", False):
            return super().send(request, **kwargs)
        name = kwargs.pop("name", None) or self.service.label(request.method or "GET", request.url or "")
        expect = kwargs.pop("expect", None)
        kwargs.setdefault("timeout", self.service.timeout)
        now = self.meter.clock.now
        start = now()
        try:
            response = super().send(request, **kwargs)
        except BaseException as exc:
            self.meter.take(name, "http", start, now(), failure_of(exc))
            raise
        end = now()
        if response.history:
            self.meter.take(f"redirects {name}", "count", start, end, value=float(len(response.history)))
        if kwargs.get("stream", self.stream) and not response._content_consumed:  # type: ignore[attr-defined]
            self._follow(response, name, start, expect)
        else:
            self._settle(response, name, start, end, expect)
        return response

    def resolve_redirects(self, resp: Any, req: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Follow redirects within the sample of the request that began them."""
        yield from super().resolve_redirects(resp, req, *args, **kwargs, hop=True)

    def let_go(self) -> None:
        """Close what was streamed and left open, so that it is counted."""
        for reply in list(self._streams):
            reply.close()

    def close(self) -> None:
        """Close the connections; what is being streamed keeps its own."""
        for adapter in set(self.adapters.values()):  # one may be mounted in several places
            adapter.close()

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

    def _follow(self, response: requests.Response, name: str, start: float, expect: Expect | None) -> None:
        response.__class__ = Reply
        assert isinstance(response, Reply)

        def ending(exc: BaseException | None) -> None:
            self._streams.discard(response)
            end = self.meter.clock.now()
            if exc is not None:
                self.meter.take(name, "http", start, end, failure_of(exc), wire_bytes(response))
            else:
                self._settle(response, name, start, end, expect)

        response._ending = ending
        self._streams.add(response)
