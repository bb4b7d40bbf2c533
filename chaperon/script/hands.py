"""What a session reaches the services with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chaperon.errors import UsageError
from chaperon.measure.meter import Meter
from chaperon.script.scene import Scene

if TYPE_CHECKING:
    from requests.cookies import RequestsCookieJar

    from chaperon.client.http import Http
    from chaperon.client.websocket.connection import WebSocket


class Hands:
    """One cookie jar, with a `requests` session for each service that is used, and the open WebSockets."""

    __slots__ = ("_cookies", "_https", "_meter", "_scene", "_sockets")

    def __init__(self, scene: Scene, meter: Meter) -> None:
        self._scene = scene
        self._meter = meter
        self._https: dict[str, Http] = {}
        self._cookies: RequestsCookieJar | None = None
        self._sockets: set[WebSocket] = set()

    def of(self, name: str) -> Http:
        """Return the session's HTTP towards one service; raises UsageError for an unknown one."""
        http = self._https.get(name)
        if http is None:
            from chaperon.client.http import Http  # late: requests brings ssl, which must be patched first

            service = self._scene.services.get(name)
            if service is None:
                raise UsageError(
                    f"no service {name!r} in this environment; there are {', '.join(self._scene.services)}"
                )
            http = self._https[name] = Http(self._meter, service, self._cookies)
            self._cookies = http.cookies
        return http

    def ws(self, service: str, path: str, **settings: Any) -> WebSocket:
        """Open a WebSocket towards one service, to be closed in the end if nobody does."""
        from chaperon.client.websocket.opening import open_websocket  # late, as above

        opened = open_websocket(self.of(service), path, ended=self._sockets.discard, **settings)
        if not opened.closed:
            self._sockets.add(opened)
        return opened

    def let_go(self) -> None:
        """Close what was streamed and left open."""
        for http in self._https.values():
            http.let_go()

    def close(self) -> None:
        """Close every connection, WebSockets without waiting for their peers."""
        while self._sockets:
            self._sockets.pop().abandon()
        self.let_go()
        for http in self._https.values():
            http.close()
