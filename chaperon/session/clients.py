"""HTTP and WebSocket clients of a session."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from chaperon.errors import UsageError
from chaperon.measure.meter import Meter
from chaperon.measure.sample import Failure
from chaperon.session.context import DEFAULT, SessionContext

if TYPE_CHECKING:
    from chaperon.client.http.cookies import Jar
    from chaperon.client.http.fast_path import UsualClient, UsualClients
    from chaperon.client.http.measured import MeasuredSession
    from chaperon.client.http.response import Response
    from chaperon.client.websocket.conversation import Conversation
    from chaperon.client.websocket.websocket import WebSocket


class _SharedClients:
    """What a session shares with its tasks: one cookie jar, connections to each service, open WebSockets and *streams*.

    *streams* are the streamed responses that are still open. *send* is `send_usual` of the HTTP client, once a service
    is used; *usual* sends common requests to the default service until that has a client. *closed* is the
    conversation of the WebSocket that was closed last.
    """

    __slots__ = ("closed", "cookies", "https", "send", "sockets", "streams", "usual")

    def __init__(self) -> None:
        self.https: dict[str, MeasuredSession] = {}
        self.cookies: Jar | None = None
        self.sockets: set[WebSocket] = set()
        self.streams: set[Response] = set()
        self.closed: Conversation | None = None
        self.send: Any = None
        self.usual: UsualClient | None = None


class SessionClients:
    """One cookie jar, with a `requests` session for each service that is used, and the open WebSockets.

    Clients made by `fork` share them; each records with its own meter.
    """

    __slots__ = ("_context", "_default", "_https", "_meter", "_shared")

    def __init__(self, context: SessionContext, meter: Meter) -> None:
        self._context = context
        self._meter = meter
        self._shared = _SharedClients()
        self._https: dict[str, MeasuredSession] = {}
        self._default: Any = None

    @property
    def holds_socket(self) -> bool:
        """Whether a WebSocket is open."""
        return bool(self._shared.sockets)

    def fork(self, meter: Meter) -> SessionClients:
        """Return clients that share these connections and record with *meter*."""
        other = SessionClients(self._context, meter)
        other._shared = self._shared
        return other

    def for_service(self, name: str) -> MeasuredSession:
        """Return the HTTP session of one service; raises UsageError for an unknown one."""
        http = self._https.get(name)
        if http is None:
            http = self._https[name] = (self._shared.https.get(name) or self._open(name)).through(self._meter)
        return http

    def send(self, method: str, url: Any, params: Any, data: Any, json: Any) -> Any:
        """Send a request without further options to the default service; see `MeasuredSession.request`."""
        http = self._default
        if http is None:
            http = self._default = self._usual() or self.for_service(DEFAULT)
        return self._shared.send(http, method, url, params, data, json)

    def ws(self, service: str, path: str, **settings: Any) -> WebSocket:
        """Open a WebSocket to one service; `close` closes it if the author does not."""
        self._meter.last_reply = None  # its body would be kept as long as the socket is used
        from chaperon.client.websocket.connect import open_websocket  # not at the top, as in `_open`

        opened = open_websocket(
            self.for_service(service), path, wire=self._context.network, ended=self._on_closed, **settings
        )
        if not opened.closed:
            self._shared.sockets.add(opened)
        return opened

    def explain_check(self, name: str, now: float, failure: Failure) -> None:
        """Keep what its step had received last before a failed check that was just recorded.

        That is an HTTP response of the same greenlet, or the messages up to the one read last from a WebSocket.
        """
        meter, shared = self._meter, self._shared
        talks = [each._conversation for each in shared.sockets] + ([shared.closed] if shared.closed else [])
        newest = max(talks, key=lambda talk: talk.read_at, default=None)
        read_at = -inf if newest is None else newest.read_at
        recorded = None
        if meter.last_reply is not None:
            from chaperon.client.outcome import recorded_sample  # not at the top, as in `_open`

            recorded = recorded_sample(meter.last_reply)
        if recorded is not None and recorded[3] >= max(read_at, meter.activity.step_began):
            from chaperon.client.exchange import keep_exchange  # not at the top, as in `_open`

            keep_exchange(meter, name, *recorded[2:4], failure, kind="check", response=meter.last_reply)
        elif newest is not None and read_at >= meter.activity.step_began:
            from chaperon.client.websocket.socket_exchange import keep_socket_exchange  # not at the top, as in `_open`

            keep_socket_exchange(meter, newest, name, now, now, failure, kind="check")

    def _on_closed(self, websocket: WebSocket) -> None:
        self._shared.sockets.discard(websocket)
        self._shared.closed = websocket._conversation

    def close_streams(self) -> None:
        """Close streamed responses that are still open."""
        if self._shared.streams:
            for http in self._shared.https.values():
                http.close_streams()

    def close(self) -> None:
        """Close every connection, WebSockets without waiting for their peers."""
        while self._shared.sockets:
            self._shared.sockets.pop().abort()
        self.close_streams()
        for http in self._shared.https.values():
            http.close()
        usual = self._shared.usual
        if usual is not None:
            usual.pool.close()
            self._default = self._shared.usual = None  # it has a method of this object

    def _usual(self) -> UsualClient | None:
        """Return what sends common requests of this session to the default service, None if it needs its own client.

        A jar has cookies for all services: once there is a client for one, the default service needs one, too.
        """
        shared, context = self._shared, self._context
        network, service = context.network, context.services.get(DEFAULT)
        if shared.https or shared.usual is not None or network is None or service is None:
            return None
        place = ("usual", id(service), self._meter.scenario)
        clients: UsualClients | None = network.shared.get(place)
        if clients is None:
            from chaperon.client.http.measured import usual_clients  # not at the top, as in `_open`

            clients = network.shared[place] = usual_clients(self._meter, service, network)
        shared.usual, shared.send = clients.client(self._meter, self._open_default), clients.send
        return shared.usual

    def _open_default(self) -> MeasuredSession:
        """Send further requests through the client of the default service, and return it."""
        http = self._default = self.for_service(DEFAULT)
        return http

    def _open(self, name: str) -> MeasuredSession:
        # not at the top: requests imports ssl, which gevent must have patched before
        from chaperon.client.http.fast_path import send_usual
        from chaperon.client.http.measured import MeasuredSession

        service = self._context.services.get(name)
        if service is None:
            raise UsageError(f"no service {name!r} in this environment; there are {', '.join(self._context.services)}")
        http = self._shared.https[name] = MeasuredSession(
            self._meter, service, self._shared.cookies, self._context.network
        )
        http.streams = self._shared.streams
        usual = self._shared.usual
        if usual is not None:
            usual.retired = True
            if name == DEFAULT:
                http.adopt(usual.pool)
        self._shared.cookies, self._shared.send = http.cookies, send_usual
        return http
