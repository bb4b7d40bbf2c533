"""What a session reaches the services with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaperon.errors import UsageError
from chaperon.measure.meter import Meter
from chaperon.script.scene import Scene

if TYPE_CHECKING:
    from requests.cookies import RequestsCookieJar

    from chaperon.client.http import Http


class Hands:
    """One cookie jar, with a `requests` session for each service that is used."""

    __slots__ = ("_cookies", "_https", "_meter", "_scene")

    def __init__(self, scene: Scene, meter: Meter) -> None:
        self._scene = scene
        self._meter = meter
        self._https: dict[str, Http] = {}
        self._cookies: RequestsCookieJar | None = None

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

    def let_go(self) -> None:
        """Close what was streamed and left open."""
        for http in self._https.values():
            http.let_go()

    def close(self) -> None:
        """Close every connection."""
        for http in self._https.values():
            http.close()
