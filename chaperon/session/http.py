"""The HTTP verbs of a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chaperon.measure.meter import Meter
from chaperon.session.clients import SessionClients
from chaperon.session.context import DEFAULT

if TYPE_CHECKING:
    from chaperon.client.http.measured import MeasuredSession
    from chaperon.client.http.response import Response


class HttpMethods:
    """Requests with every keyword of `requests`.

    Additional keywords: *name* (of the series), *expect* (which responses are successful),
    *service* (a named service of the environment) and *tags* (such as {"kind": "search"}).
    All methods block until the response is complete (with stream=True, until its head is),
    and raise what `requests` raises. A response is a `requests.Response` with the additional
    methods `find`, `json_at`, `form`, `csrf`.
    """

    _clients: SessionClients
    meter: Meter

    @property
    def http(self) -> MeasuredSession:
        """The `requests.Session` beneath, for an SDK that wants one; measured like the verbs."""
        return self._clients.for_service(DEFAULT)

    @property
    def headers(self) -> Any:
        """Headers of this session's own, sent to the default service with every request and handshake."""
        return self._clients.for_service(DEFAULT).headers

    def service(self, name: str) -> MeasuredSession:
        """Return the client of a service: `session.service("api").get("/users")`. Raises UsageError."""
        return self._clients.for_service(name)

    def request(
        self,
        method: str,
        url: str = "",
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
        service: str = DEFAULT,
        tags: Mapping[str, object] | None = None,
        **kwargs: Any,
    ) -> Response:
        """Send a request with any method; limits and the report can select it by its *tags*.

        The parameters are those of `requests.Session.request`, in its order. *timeout* defaults to that of the
        service, in seconds.
        """
        http = self._clients.for_service(service)
        if tags:
            if not isinstance(tags, Mapping):
                raise TypeError(f"tags= takes names with values, such as tags={{'kind': 'search'}}; got {tags!r}")
            http = http.through(self.meter.tagged(tags))
        return http.request(  # type: ignore[return-value]  # it is one
            method,
            url,
            params,
            data,
            headers,
            cookies,
            files,
            auth,
            timeout,
            allow_redirects,
            proxies,
            hooks,
            stream,
            verify,
            cert,
            json,
            **kwargs,
        )

    def get(self, url: str = "", params: Any = None, **kwargs: Any) -> Response:
        """Send a GET request."""
        if not kwargs:  # the common call, without a detour
            found: Response = self._clients.send("GET", url, params, None, None)
            return found
        return self.request("GET", url, params=params, **kwargs)

    def options(self, url: str = "", **kwargs: Any) -> Response:
        """Send an OPTIONS request."""
        return self.request("OPTIONS", url, **kwargs)

    def head(self, url: str = "", **kwargs: Any) -> Response:
        """Send a HEAD request; redirects are not followed unless asked for."""
        kwargs.setdefault("allow_redirects", False)
        return self.request("HEAD", url, **kwargs)

    def post(self, url: str = "", data: Any = None, json: Any = None, **kwargs: Any) -> Response:
        """Send a POST request."""
        if not kwargs:  # as above
            found: Response = self._clients.send("POST", url, None, data, json)
            return found
        return self.request("POST", url, data=data, json=json, **kwargs)

    def put(self, url: str = "", data: Any = None, **kwargs: Any) -> Response:
        """Send a PUT request."""
        return self.request("PUT", url, data=data, **kwargs)

    def patch(self, url: str = "", data: Any = None, **kwargs: Any) -> Response:
        """Send a PATCH request."""
        return self.request("PATCH", url, data=data, **kwargs)

    def delete(self, url: str = "", **kwargs: Any) -> Response:
        """Send a DELETE request."""
        return self.request("DELETE", url, **kwargs)
