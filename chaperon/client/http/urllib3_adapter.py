"""`requests` adapters on urllib3, with the limits of a `CallBudget` and with pools and prepared URLs cached."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from http.cookiejar import CookieJar
from socket import MSG_DONTWAIT, MSG_PEEK
from typing import Any, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, PoolManager
from urllib3.connection import HTTPConnection

from chaperon.client.headers import beyond_latin_1
from chaperon.client.http.deadline import CallBudget, bounds_of, in_time, is_counted
from chaperon.client.http.response import Response
from chaperon.client.mocks import intercepted
from chaperon.client.network.connect import NetworkContext
from chaperon.errors import DeadlineExceeded

URLS = 1_000
"""Prepared URLs cached per process."""
_urls: dict[str, str] = {}
"""Prepared URL by URL as given; a pure function, so that all sessions share the cache."""


class CachedPreparedRequest(requests.PreparedRequest):
    """A `requests.PreparedRequest` that caches prepared URLs and skips the cookie header of an empty jar."""

    def prepare_url(self, url: Any, params: Any) -> None:
        """Prepare the URL; see `requests`."""
        if params or type(url) is not str:
            super().prepare_url(url, params)
            return
        known = _urls.get(url)
        if known is None:
            super().prepare_url(url, params)
            if len(_urls) >= URLS:
                _urls.clear()
            known = _urls[url] = str(self.url)
        self.url = known

    def prepare_cookies(self, cookies: Any) -> None:
        """Prepare the Cookie header; see `requests`."""
        if isinstance(cookies, CookieJar) and next(iter(cookies), None) is None:
            self._cookies = cookies
        else:
            super().prepare_cookies(cookies)


class SendSettings(NamedTuple):
    """The settings of one call of `HTTPAdapter.send`, in its order."""

    stream: bool
    timeout: Any
    verify: Any
    cert: Any
    proxies: Any


class BoundedHTTPAdapter(HTTPAdapter):
    """Sends prepared requests through urllib3 within the `CallBudget` attached to each.

    *network*, if set, counts them.
    """

    network: NetworkContext | None = None

    def send(
        self,
        request: Any,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send *request* and return its response, body not yet read; see `requests.adapters.HTTPAdapter.send`.

        Blocks until the response head is complete. Raises `requests` exceptions, among them
        DeadlineExceeded beyond the deadline of the request's `CallBudget`.
        """
        try:
            return self._transmit(request, SendSettings(stream, timeout, verify, cert, proxies))
        finally:
            if self.network is not None and is_counted(request):
                self.network.sent += 1

    def _transmit(self, request: Any, settings: SendSettings) -> requests.Response:
        """Send *request* through urllib3, within its budget if it has one."""
        if self.network is not None and self.network.over:
            self.network.refuse()
        bounds = bounds_of(request)
        try:
            if bounds is None:
                return super().send(request, *settings)
            with in_time(bounds.until, bounds.now):
                response = super().send(request, *settings)
        except DeadlineExceeded as exc:
            exc.request = request
            raise
        except UnicodeEncodeError as exc:
            raise beyond_latin_1(request.headers.items()) or exc from None
        return _with_budget(response, bounds)

    def close(self) -> None:
        """Close idle connections at once, also those of pools that an open response still refers to."""
        plain = self.__dict__.get("_plain")
        managers = [self.__dict__.get("poolmanager"), getattr(plain, "poolmanager", None), *self.proxy_manager.values()]
        for manager in managers:
            if isinstance(manager, PoolManager):
                for place in manager.pools.keys():  # noqa: SIM118 - they cannot be iterated over
                    manager.pools[place].close()
            if manager is not None:
                manager.clear()


def within(
    bounds: CallBudget, send: Callable[..., requests.Response], request: Any, *, stream: bool, **kwargs: Any
) -> requests.Response:
    """Send through any adapter, such as one the author mounted, and apply *bounds* to head and body."""
    with in_time(bounds.until, bounds.now):
        response = send(request, stream=True, **kwargs)
    response = _with_budget(response, bounds)
    if not stream:
        _ = response.content
    return response


def _with_budget(response: requests.Response, bounds: CallBudget) -> requests.Response:
    if type(response) is requests.Response:  # a subclass from an author's adapter is left unchanged
        response.__class__ = Response
        assert isinstance(response, Response)
        response.apply_budget(bounds)
    return response


class _Connection(HTTPConnection):
    @property
    def is_connected(self) -> bool:
        """Whether the connection can be reused: it holds neither unrequested data nor the end of the stream.

        One non-blocking peek: urllib3 polls the socket instead, for which gevent creates a watcher and a timer
        and switches to the hub.
        """
        bare = getattr(self.sock, "_sock", None)
        if bare is None:
            return super().is_connected
        try:
            bare.recv(1, MSG_PEEK | MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class CachedPoolAdapter(BoundedHTTPAdapter):
    """An adapter that caches the pool of each origin; requests through proxies are not cached.

    Keeps up to *connections* idle connections to each of up to *hosts* hosts.
    """

    __attrs__ = [*BoundedHTTPAdapter.__attrs__, "_hosts"]  # noqa: RUF012 - as its base

    def __init__(self, hosts: int, connections: int, network: NetworkContext | None = None) -> None:
        self.network = network
        super().__init__(pool_connections=hosts, pool_maxsize=connections)
        self._hosts = hosts
        self._plain = HTTPAdapter()
        self._found: dict[tuple[Any, ...], weakref.ref[Any]] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        self._plain = HTTPAdapter()
        self._found = {}

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create urllib3's pool manager; see `requests`."""
        super().init_poolmanager(*args, **kwargs)
        classes = self.poolmanager.pool_classes_by_scheme
        self.poolmanager.pool_classes_by_scheme = {**classes, "http": _Pool}

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """Return the connection pool for a request; see `requests`."""
        if intercepted():  # by VCR.py, which replaces the connection class of urllib3's own pools
            return self._plain.get_connection_with_tls_context(request, verify, proxies, cert)
        if proxies:
            return super().get_connection_with_tls_context(request, verify, proxies, cert)
        origin = request.url[: request.url.find("/", 8)]  # past the slashes of https://
        place = (origin, verify, cert)
        found = self._found.get(place)
        pool = None if found is None else found()
        if pool is None:  # new, closed, or evicted by urllib3's manager
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            if len(self._found) >= self._hosts:
                self._found.clear()
            self._found[place] = weakref.ref(pool)
        return pool

    def request_url(self, request: Any, proxies: Any) -> str:
        """Return the request target; see `requests`."""
        path = request.path_url
        return super().request_url(request, proxies) if proxies or path.startswith("//") else str(path)
