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
        path: str = "",
        *,
        service: str = DEFAULT,
        tags: Mapping[str, object] | None = None,
        **keywords: Any,
    ) -> Response:
        """Send a request with any method; limits and the report can select it by its *tags*."""
        http = self._clients.for_service(service)
        if tags:
            http = http.through(self.meter.tagged(tags))
        return http.request(method, path, **keywords)  # type: ignore[return-value]  # it is one

    def get(self, path: str = "", params: Any = None, **keywords: Any) -> Response:
        """Send a GET request."""
        if not keywords:  # the usual one, without a detour
            return self._clients.for_service(DEFAULT).request("GET", path, params)  # type: ignore[return-value]  # it is one
        return self.request("GET", path, params=params, **keywords)

    def options(self, path: str = "", **keywords: Any) -> Response:
        """Send an OPTIONS request."""
        return self.request("OPTIONS", path, **keywords)

    def head(self, path: str = "", **keywords: Any) -> Response:
        """Send a HEAD request; redirects are not followed unless asked for."""
        keywords.setdefault("allow_redirects", False)
        return self.request("HEAD", path, **keywords)

    def post(self, path: str = "", data: Any = None, json: Any = None, **keywords: Any) -> Response:
        """Send a POST request."""
        if not keywords:  # as above
            return self._clients.for_service(DEFAULT).request(  # type: ignore[return-value]  # it is one
                "POST", path, None, data, json=json
            )
        return self.request("POST", path, data=data, json=json, **keywords)

    def put(self, path: str = "", data: Any = None, **keywords: Any) -> Response:
        """Send a PUT request."""
        return self.request("PUT", path, data=data, **keywords)

    def patch(self, path: str = "", data: Any = None, **keywords: Any) -> Response:
        """Send a PATCH request."""
        return self.request("PATCH", path, data=data, **keywords)

    def delete(self, path: str = "", **keywords: Any) -> Response:
        """Send a DELETE request."""
        return self.request("DELETE", path, **keywords)
