"""What is kept of one WebSocket to explain a failure: its handshake, and its last messages."""

from __future__ import annotations

from chaperon.client.timings import Timings
from chaperon.client.websocket.message_queue import Message

LAST: int = 4
"""Number of messages that are kept of each WebSocket."""
KEPT: int = 1_100
"""Characters or bytes of each that are kept; a message of at most as many is kept by reference."""


class Conversation:
    """The handshake of a WebSocket as bytes, and the last messages sent and received.

    *url* is that of the handshake, *asked* the head of the request, *answered* that of the response. *count* is
    the number of messages so far, *shown* how many of them are in an exchange, -1 before the first one. *closed*
    describes the end, "" while the WebSocket is open. *read_at* is the clock reading, in seconds, at
    which the scenario was given a message last.
    """

    __slots__ = ("_last", "answered", "asked", "closed", "count", "read_at", "shown", "timings", "url")

    def __init__(self, url: str, asked: bytes, answered: bytes, timings: Timings, *, shown: int = 0) -> None:
        self.url = url
        self.asked = asked
        self.answered = answered
        self.timings = timings
        self.closed: str = ""
        self.read_at: float = -1.0
        self.count: int = 0
        self.shown = shown
        self._last: list[Message] | None = None  # made for the first message: idle sockets are many

    def __repr__(self) -> str:
        return f"<Conversation of {self.count} messages>"

    def add(self, message: Message) -> None:
        """Keep a message in place of the oldest one."""
        if message.size > KEPT:
            message = Message(message.body[:KEPT], message.at, message.size, message.wire, message.sent)
        last = self._last
        if last is None:
            self._last = [message]
        elif self.count < LAST:
            last.append(message)
        else:
            last[self.count % LAST] = message
        self.count += 1

    def last_messages(self, most: int = LAST) -> list[Message]:
        """Return the last *most* messages that are kept, oldest first; their bodies may be beginnings."""
        last = self._last
        if last is None or most < 1:
            return []
        start = self.count % LAST if self.count >= LAST else 0
        return [*last[start:], *last[:start]][-most:]
