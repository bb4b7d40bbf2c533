"""What is kept of one WebSocket to explain a failure: its handshake, and its last messages."""

from __future__ import annotations

from typing import Final

from chaperon.client.timings import Timings
from chaperon.client.websocket.message_queue import Message

LAST: Final = 4
"""Number of messages that are kept of each WebSocket."""
KEPT: Final = 1_100
"""Characters or bytes of each that are kept; a message of at most as many is kept by reference."""


class Conversation:
    """The handshake of a WebSocket as bytes, and the last messages sent and received.

    *url* is that of the handshake, *asked* the head of the request, *answered* that of the response. *count* is
    the number of messages so far, *shown* how many of them are in an exchange, -1 before the first one. *closed*
    describes the end, "" while the WebSocket is open. *read_at* is the clock reading, in seconds, at
    which the scenario was given a message last.
    """

    __slots__ = (
        "_first",
        "_last",
        "_second",
        "_third",
        "answered",
        "asked",
        "closed",
        "count",
        "read_at",
        "shown",
        "timings",
        "url",
    )

    def __init__(self, url: str, asked: bytes, answered: bytes, timings: Timings, *, shown: int = 0) -> None:
        self.url = url
        self.asked = asked
        self.answered = answered
        self.timings = timings
        self.closed: str = ""
        self.read_at: float = -1.0
        self.count: int = 0
        self.shown = shown
        # four attributes: to move them takes fewer instructions than a list, and idle sockets are many
        self._first: Message | None = None
        self._second: Message | None = None
        self._third: Message | None = None
        self._last: Message | None = None

    def __repr__(self) -> str:
        return f"<Conversation of {self.count} messages>"

    def add(self, message: Message) -> None:
        """Keep a message in place of the oldest one."""
        if message.size > KEPT:
            message = message.beginning(KEPT)
        self._first = self._second
        self._second = self._third
        self._third = self._last
        self._last = message
        self.count += 1

    def last_messages(self, most: int = LAST) -> list[Message]:
        """Return the last *most* messages that are kept, oldest first; their bodies may be beginnings."""
        kept = [each for each in (self._first, self._second, self._third, self._last) if each is not None]
        return kept[-most:] if most > 0 else []
