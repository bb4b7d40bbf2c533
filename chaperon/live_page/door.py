"""The page's HTTP server with WebSockets: the only module that uses gevent-websocket.

That library checks no origin and bounds no message it receives. So a request is checked before it is upgraded, and
nothing is ever read from a WebSocket: it sends only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.client import HTTPException
from socket import SHUT_RDWR
from typing import Any, Protocol

from gevent.pool import Pool
from gevent.pywsgi import WSGIServer
from geventwebsocket.exceptions import WebSocketError
from geventwebsocket.handler import WebSocketHandler

from chaperon.errors import ViewerGone
from chaperon.live_page.access import PROTOCOL

PATIENCE = 30.0
"""Seconds a connection may wait for its peer, in either direction, until it is closed."""
CONNECTIONS = 320
"""Most connections that are open at once; further ones wait until one is closed."""
SOCKET = "chaperon.socket"
"""The key in the WSGI environment of what sends to the WebSocket of a request."""
StartResponse = Callable[..., Any]


class UpgradingApplication(Protocol):
    """A WSGI application that says which requests may become WebSockets."""

    def __call__(self, environ: dict[str, Any], respond: StartResponse) -> Iterable[bytes]:
        """Answer a request."""

    def may_upgrade(self, environ: dict[str, Any]) -> bool:
        """Return whether a request may become a WebSocket. If not, it is answered as any other."""


class SendingSocket:
    """A WebSocket that sends text."""

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket
        self._socket = websocket.handler.socket

    def __repr__(self) -> str:
        return "<SendingSocket>"

    def send(self, text: str) -> None:
        """Send one message. Blocks while the other end does not read; raises ViewerGone."""
        try:
            self._websocket.send(text)
        except (WebSocketError, OSError) as exc:
            raise ViewerGone(str(exc)) from exc

    def abort(self) -> None:
        """Close the connection at once; a `send` that is going on ends."""
        with suppress(OSError):
            self._socket.shutdown(SHUT_RDWR)


class _Handler(WebSocketHandler):  # type: ignore[misc]  # the library has no types
    """Upgrades a request only if the application allows it."""

    def read_request(self, raw_requestline: str) -> Any:
        try:
            return super().read_request(raw_requestline)
        except HTTPException as exc:
            raise ValueError(str(exc)) from exc  # of another class it is printed with a traceback

    def run_application(self) -> None:
        if not self.application.may_upgrade(self.environ):
            super(WebSocketHandler, self).run_application()
            return
        super().run_application()

    def run_websocket(self) -> None:
        self.environ[SOCKET] = SendingSocket(self.websocket)
        try:
            list(self.application(self.environ, lambda *given: None))
        finally:
            if not self.websocket.closed:
                self.websocket.close()


class PageServer(WSGIServer):
    """Serves *application* at (host, port); port 0 is any free one. Logs nothing."""

    def __init__(self, address: tuple[str, int], application: UpgradingApplication) -> None:
        self.logger = logging.Logger("chaperon.page", logging.CRITICAL + 1)  # of its own: no handler, no parent
        pool: Any = Pool(CONNECTIONS)
        super().__init__(address, _Named(application), log=None, error_log=None, handler_class=_Handler, spawn=pool)

    def handle(self, client: Any, address: Any) -> None:
        """Serve one connection."""
        client.settimeout(PATIENCE)
        with suppress(TimeoutError, ConnectionError):
            super().handle(client, address)


class _Named:
    """An application that also names the subprotocol of its WebSockets."""

    def __init__(self, application: UpgradingApplication) -> None:
        self._application = application
        self.may_upgrade = application.may_upgrade

    def __call__(self, environ: dict[str, Any], respond: StartResponse) -> Iterable[bytes]:
        return self._application(environ, respond)

    def app_protocol(self, path: str) -> str:
        """Return the subprotocol at *path*, as gevent-websocket asks for it."""
        return PROTOCOL
