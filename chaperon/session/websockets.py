"""The WebSockets of a session, with the round trips between them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chaperon.clock import Clock
from chaperon.measure.meter import Meter
from chaperon.session.clients import SessionClients
from chaperon.session.context import DEFAULT, SessionContext

if TYPE_CHECKING:
    from chaperon.client.websocket.websocket import WebSocket

FORGOTTEN = "marks forgotten, as only the newest 100,000 are kept"
UNMARKED = "arrivals of a key that was not marked in this process"


class WebSocketMethods:
    """WebSockets, and round trips of messages between sessions."""

    clock: Clock
    meter: Meter
    context: SessionContext
    _clients: SessionClients

    def ws(
        self,
        path: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        params: Any = None,
        subprotocols: Sequence[str] = (),
        timeout: Any = ...,
        name: str | None = None,
        service: str = DEFAULT,
        buffer: int = 1_000,
        max_size: int = 16 * 1024 * 1024,
        compression: str | None = None,
    ) -> WebSocket:
        """Open a WebSocket, with the session's cookies, headers, auth, TLS settings.

        Blocks until the handshake is complete. *timeout* (default: that of the service) limits
        the handshake and is the default of later waits; a pair gives each of the two, None is
        without limit. *name* replaces the path in the names of its series. At most *buffer*
        received messages are queued; beyond that the oldest is dropped and counted. A message
        longer than *max_size* bytes, decompressed, closes the WebSocket. *compression* "deflate"
        offers permessage-deflate (RFC 7692), which the server may decline. It can be used as a `with` block;
        otherwise it is closed with the session. Raises WebSocketRefused, WebSocketTimeout, UsageError.
        """
        return self._clients.ws(
            service,
            path,
            headers=headers,
            params=params,
            subprotocols=subprotocols,
            timeout=timeout,
            name=name,
            buffer=buffer,
            max_size=max_size,
            compression=compression,
        )

    def mark(self, key: Hashable) -> float:
        """Record that the message with *key* is sent now, over any transport; return the time on the run's clock."""
        now = self.clock.now()
        if self.context.round_trips.mark(key, now):
            self.meter.recorder.count_note(FORGOTTEN)
        return now

    def arrived(self, key: Hashable, *, name: str | None = None, at: float | None = None) -> float | None:
        """Record the seconds since *key* was marked, in any session, as «round trip NAME»; return them.

        *at* is the time of the arrival, by default now; `ws.received_at` is more exact. A key
        that was not marked in this process is counted in the notes of the report, and None is
        returned.
        """
        moment = self.clock.now() if at is None else at
        since = self.context.round_trips.since(key)
        if since is None:
            self.meter.recorder.count_note(UNMARKED)
            return None
        took = max(moment - since, 0.0)
        self.meter.record(f"round trip {name}" if name else "round trip", "trip", moment - took, moment)
        return took
