"""The stock adapter of `requests`, with a memory for where it found each host's connections."""

from __future__ import annotations

import weakref
from typing import Any

from chaperon.client.stock import Stock


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
