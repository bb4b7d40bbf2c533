"""Messages that came, until somebody takes them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any

from chaperon.client.websocket.waiters import Waiter, Waiting
from chaperon.clock import Clock
from chaperon.interrupts import is_signal

Wants = Callable[["Message"], bool]

_UNREAD = object()


class Message:
    """A message with the moment it arrived; *json* reads it once, None where it is not JSON."""

    __slots__ = ("_json", "at", "body", "size")

    def __init__(self, body: str | bytes, at: float, size: int) -> None:
        self.body = body
        self.at = at
        self.size = size
        self._json: Any = _UNREAD

    def __repr__(self) -> str:
        return f"<Message of {self.size} bytes at {self.at:g}>"

    @property
    def json(self) -> Any:
        if self._json is _UNREAD:
            try:
                self._json = json.loads(self.body)
            except ValueError:
                self._json = None
        return self._json


class MessageQueue:
    """A bounded buffer of messages with those who wait for them.

    It holds at most *most* messages, which are at most *most_bytes* together; beyond, the
    oldest are dropped, and *dropped* is told.
    """

    __slots__ = ("_dropped", "_ended", "_held", "_most", "_most_bytes", "_size", "waiting")

    def __init__(self, clock: Clock, *, most: int, most_bytes: int, dropped: Callable[[], object]) -> None:
        self.waiting = Waiting(clock)
        self._held: deque[Message] = deque()
        self._size = 0
        self._most = most
        self._most_bytes = most_bytes
        self._dropped = dropped
        self._ended: Callable[[], BaseException] | None = None

    def __len__(self) -> int:
        return len(self._held)

    def put(self, message: Message) -> None:
        """Take in a message: it goes to the first in line who wants it, else it is kept.

        What nobody in line wants, while somebody is passing messages over, is let go.
        """
        passed_over = False
        for waiter in list(self.waiting.line):
            try:
                wanted = waiter.wants is None or waiter.wants(message)
            except BaseException as exc:
                if is_signal(exc):
                    raise
                self.waiting.fail(waiter, exc)  # a predicate of the scenario's own: its fault goes to who asked
                continue
            if wanted:
                self.waiting.serve(waiter, message)
                return
            passed_over = passed_over or isinstance(waiter, SkippingWaiter)
        if not passed_over:
            self._keep(message)

    def pop(self, within: float | None) -> Message:
        """Return the oldest message; raises Expired if none comes within so many seconds."""
        if self._held:
            return self._pop()
        return self._wait(Waiter[Message](), within)

    def skip_to(self, wants: Wants, within: float | None) -> Message:
        """Return the first message that is wanted; those before it are let go. Raises Expired."""
        while self._held:
            message = self._pop()
            if wants(message):
                return message
        return self._wait(SkippingWaiter(wants), within)

    def remove_first(self, wants: Wants, within: float | None) -> Message:
        """Return the first message that is wanted; the others stay. Raises Expired."""
        for place, message in enumerate(self._held):
            if wants(message):
                del self._held[place]
                self._size -= message.size
                return message
        return self._wait(Waiter[Message](wants), within)

    def end(self, error: Callable[[], BaseException]) -> None:
        """Make everybody in line raise, and whoever comes later; what is held can still be taken."""
        self._ended = error
        self.waiting.fail_all(error)
        self.waiting.close()

    def _wait(self, waiter: Waiter[Message], within: float | None) -> Message:
        if self._ended is not None:
            raise self._ended()
        return self.waiting.wait(waiter, within)

    def _pop(self) -> Message:
        message = self._held.popleft()
        self._size -= message.size
        return message

    def _keep(self, message: Message) -> None:
        self._held.append(message)
        self._size += message.size
        while len(self._held) > self._most or self._size > self._most_bytes:
            self._pop()
            self._dropped()


class SkippingWaiter(Waiter[Message]):
    """One who lets go of what comes before the message it wants."""

    __slots__ = ()
