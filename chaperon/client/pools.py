"""The stock adapter of `requests`, at less cost where it would find out again what it knows."""

from __future__ import annotations

import weakref
from socket import MSG_DONTWAIT, MSG_PEEK
from typing import Any

from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from chaperon.client.stock import Stock


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


class Pools(Stock):
    """An adapter that works out the pool of a host once; with proxies it does as it always did.

    It keeps so many *connections* to each of so many *hosts*.
    """

    __attrs__ = [*Stock.__attrs__, "_hosts"]  # noqa: RUF012 - as its base

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
