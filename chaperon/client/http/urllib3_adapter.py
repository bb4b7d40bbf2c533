"""The adapter for requests that urllib3 sends: bounded bodies, pools kept over sessions, prepared URLs cached."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from http.cookiejar import CookieJar
from socket import MSG_DONTWAIT, MSG_PEEK
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, PoolManager
from urllib3.connection import HTTPConnection

from chaperon.client.http.deadline import CallBudget, bounds_of, in_time
from chaperon.client.http.response import Response
from chaperon.client.network.exceptions import DeadlineExceeded

URLS = 1_000
_urls: dict[str, str] = {}


class CachedPreparedRequest(requests.PreparedRequest):
    """Prepared as `requests` does: a URL it has seen is known, an empty jar sends no cookie."""

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
        """Prepare the header of cookies; see `requests`."""
        if isinstance(cookies, CookieJar) and next(iter(cookies), None) is None:
            self._cookies = cookies
        else:
            super().prepare_cookies(cookies)


class BoundedHTTPAdapter(HTTPAdapter):
    """Sends prepared requests through urllib3; the bounds that go with one hold."""

    def send(
        self,
        request: Any,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send *request*, return its response with the body still to come; see `requests`."""
        bounds = bounds_of(request)
        if bounds is None:
            return super().send(request, stream, timeout, verify, cert, proxies)
        try:
            with in_time(bounds.until, bounds.now):
                response = super().send(request, stream, timeout, verify, cert, proxies)
        except DeadlineExceeded as exc:
            exc.request = request
            raise
        return _heeding(response, bounds)

    def close(self) -> None:
        """Close the connections that are not in use, though responses that came over them are still looked at."""
        managers = [self.__dict__.get("poolmanager"), *self.proxy_manager.values()]
        for manager in managers:
            if isinstance(manager, PoolManager):
                for place in manager.pools.keys():  # noqa: SIM118 - they cannot be iterated over
                    manager.pools[place].close()
            if manager is not None:
                manager.clear()


def within(
    bounds: CallBudget, send: Callable[..., requests.Response], request: Any, *, stream: bool, **kwargs: Any
) -> requests.Response:
    """Send through an adapter that knows nothing of bounds, and within them all the same."""
    with in_time(bounds.until, bounds.now):
        response = send(request, stream=True, **kwargs)
    response = _heeding(response, bounds)
    if not stream:
        _ = response.content
    return response


def _heeding(response: requests.Response, bounds: CallBudget) -> requests.Response:
    if type(response) is requests.Response:  # a class of the user's own knows best
        response.__class__ = Response
        assert isinstance(response, Response)
        response.apply_budget(bounds)
    return response


class _Connection(HTTPConnection):
    @property
    def is_connected(self) -> bool:
        """Whether the connection can be used again: nothing has come over it that nobody asked for, no end either.

        urllib3 polls the socket, for which gevent opens a watcher, a timer and goes through the hub.
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
    """An adapter that works out the pool of a host once; with proxies it does as it always did.

    It keeps so many *connections* to each of so many *hosts*.
    """

    __attrs__ = [*BoundedHTTPAdapter.__attrs__, "_hosts"]  # noqa: RUF012 - as its base

    def __init__(self, hosts: int, connections: int) -> None:
        super().__init__(pool_connections=hosts, pool_maxsize=connections)
        self._hosts = hosts
        self._found: dict[tuple[Any, ...], weakref.ref[Any]] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        self._found = {}

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the manager of the pools, see `requests`."""
        super().init_poolmanager(*args, **kwargs)
        classes = self.poolmanager.pool_classes_by_scheme
        self.poolmanager.pool_classes_by_scheme = {**classes, "http": _Pool}

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """Return the pool of connections for a request."""
        if proxies:
            return super().get_connection_with_tls_context(request, verify, proxies, cert)
        origin = request.url[: request.url.find("/", 8)]  # past the slashes of https://
        place = (origin, verify, cert)
        found = self._found.get(place)
        pool = None if found is None else found()
        if pool is None:  # new, or closed since, or pushed out by those of other hosts
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            if len(self._found) >= self._hosts:
                self._found.clear()
            self._found[place] = weakref.ref(pool)
        return pool

    def request_url(self, request: Any, proxies: Any) -> str:
        """Return what stands in the request line."""
        path = request.path_url
        return super().request_url(request, proxies) if proxies or path.startswith("//") else str(path)
