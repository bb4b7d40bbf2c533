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

    # mypyc: every message passes here. Sixteen attributes take a tenth of the instructions of a list of objects.
    __slots__ = (
        "_at_1",
        "_at_2",
        "_at_3",
        "_at_4",
        "_body_1",
        "_body_2",
        "_body_3",
        "_body_4",
        "_sent_1",
        "_sent_2",
        "_sent_3",
        "_sent_4",
        "_size_1",
        "_size_2",
        "_size_3",
        "_size_4",
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
        self._body_1: str | bytes = ""
        self._body_2: str | bytes = ""
        self._body_3: str | bytes = ""
        self._body_4: str | bytes = ""
        self._at_1 = self._at_2 = self._at_3 = self._at_4 = 0.0
        self._size_1 = self._size_2 = self._size_3 = self._size_4 = 0
        self._sent_1 = self._sent_2 = self._sent_3 = self._sent_4 = 0

    def __repr__(self) -> str:
        return f"<Conversation of {self.count} messages>"

    def add(self, body: str | bytes, at: float, size: int, sent: int) -> None:
        """Keep a message in place of the oldest one; *sent* as of `Message`."""
        self._body_1, self._body_2, self._body_3 = self._body_2, self._body_3, self._body_4
        self._at_1, self._at_2, self._at_3 = self._at_2, self._at_3, self._at_4
        self._size_1, self._size_2, self._size_3 = self._size_2, self._size_3, self._size_4
        self._sent_1, self._sent_2, self._sent_3 = self._sent_2, self._sent_3, self._sent_4
        if size <= KEPT:
            self._body_4 = body
        elif isinstance(body, bytes):
            self._body_4 = body[:KEPT]
        else:
            self._body_4 = body[:KEPT]
        self._at_4 = at
        self._size_4 = size
        self._sent_4 = sent
        self.count += 1

    def last_messages(self, most: int = LAST) -> list[Message]:
        """Return the last *most* messages that are kept, oldest first; their bodies may be beginnings."""
        kept = [
            Message(self._body_1, self._at_1, self._size_1, 0, self._sent_1),
            Message(self._body_2, self._at_2, self._size_2, 0, self._sent_2),
            Message(self._body_3, self._at_3, self._size_3, 0, self._sent_3),
            Message(self._body_4, self._at_4, self._size_4, 0, self._sent_4),
        ]
        number = min(most, self.count, LAST)
        return kept[LAST - number :]
