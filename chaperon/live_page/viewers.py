"""The viewers of a page: each has a bounded queue of messages and is dropped when it falls behind."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from gevent.event import Event

QUEUED = 30
"""Messages kept for a viewer that does not read; with more it is dropped."""
MOST = 256
"""Most viewers at once."""


class TextSocket(Protocol):
    """Where the messages of a viewer go."""

    def send(self, text: str) -> None:
        """Send one message. May block."""

    def abort(self) -> None:
        """Close the connection; a `send` that is going on raises."""


class Viewer:
    """Sends queued messages to *socket*, in the greenlet that calls `serve`."""

    def __init__(self, socket: TextSocket) -> None:
        self._socket = socket
        self._queue: deque[str] = deque()
        self._more = Event()
        self._sending = self._closing = self.dropped = False

    def __repr__(self) -> str:
        return f"<Viewer with {len(self._queue)} messages to read>"

    @property
    def idle(self) -> bool:
        """Whether everything queued has been sent."""
        return self.dropped or not (self._queue or self._sending)

    def put(self, text: str) -> None:
        """Queue a message, or drop the viewer if too many wait. Does not block."""
        if self.dropped:
            return
        if len(self._queue) >= QUEUED:
            self.dropped = True
            self._queue.clear()
            self._socket.abort()
        else:
            self._queue.append(text)
        self._more.set()

    def close(self) -> None:
        """Let `serve` return when everything queued has been sent."""
        self._closing = True
        self._more.set()

    def serve(self) -> None:
        """Send messages until the viewer is closed or dropped. Blocks; raises what `send` of the socket raises."""
        while not self.dropped:
            while self._queue:
                self._sending = True
                try:
                    self._socket.send(self._queue.popleft())
                finally:
                    self._sending = False
            if self._closing:
                return
            self._more.clear()
            self._more.wait()
