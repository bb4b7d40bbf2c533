"""The stock adapter of `requests`, kept within the bounds of a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager

from chaperon.client.bounds import Bounds, bounds_of, in_time
from chaperon.client.faults import DeadlineExceeded
from chaperon.client.reply import Reply


class Stock(HTTPAdapter):
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
            with in_time(bounds.until):
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
    bounds: Bounds, send: Callable[..., requests.Response], request: Any, *, stream: bool, **kwargs: Any
) -> requests.Response:
    """Send through an adapter that knows nothing of bounds, and within them all the same."""
    with in_time(bounds.until):
        response = send(request, stream=True, **kwargs)
    response = _heeding(response, bounds)
    if not stream:
        _ = response.content
    return response


def _heeding(response: requests.Response, bounds: Bounds) -> requests.Response:
    if type(response) is requests.Response:  # a class of the user's own knows best
        response.__class__ = Reply
        assert isinstance(response, Reply)
        response.heed(bounds)
    return response
