"""The bounded queue of received WebSocket messages, and the greenlets that wait for one."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from chaperon.client.websocket.waiters import Waiter, Waiting
from chaperon.clock import Clock
from chaperon.interrupts import is_signal

Wants = Callable[["Message"], bool]

_UNREAD: Final = object()


class Message:
    """A message; *at* is the clock reading, in seconds, at which it arrived, *size* is in bytes.

    *wire* is the number of bytes in which it was sent: less than *size* where it was compressed. *json* is
    the parsed value, None if the message is not JSON; it is parsed once. *sent* is 0; of a message that
    the scenario sent, at *at*, it is the opcode of its frame.
    """

    __slots__ = ("_json", "at", "body", "sent", "size", "wire")

    def __init__(self, body: str | bytes, at: float, size: int, wire: int, sent: int = 0) -> None:
        self.body = body
        self.at = at
        self.size = size
        self.wire = wire
        self.sent = sent
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
    """A bounded queue of messages with its waiting greenlets.

    It holds at most *most* messages of at most *most_bytes* bytes together. Beyond either, it drops the
    oldest message and calls *dropped*.
    """

    __slots__ = ("_dropped", "_ended", "_held", "_most", "_most_bytes", "_size", "waiting")

    def __init__(self, clock: Clock, *, most: int, most_bytes: int, dropped: Callable[[], object]) -> None:
        self.waiting = Waiting(clock)
        self._held: deque[Message] | None = None  # made for the first message: an empty one takes 760 bytes
        self._size = 0
        self._most = most
        self._most_bytes = most_bytes
        self._dropped = dropped
        self._ended: Callable[[], BaseException] | None = None

    def __len__(self) -> int:
        return len(self._held) if self._held is not None else 0

    def put(self, message: Message) -> None:
        """Give a message to the first waiter that it matches, else queue it.

        A message that matches no waiter is discarded if one of them is a `SkippingWaiter`. Does not block;
        call `waiting.wake` afterwards.
        """
        line = self.waiting.line
        if not line:
            self._keep(message)
            return
        if line[0].wants is None:
            self.waiting.serve(line[0], message)
            return
        passed_over = False
        for waiter in list(line):
            try:
                wanted = waiter.wants is None or waiter.wants(message)
            except BaseException as exc:
                if is_signal(exc):
                    raise
                self.waiting.fail(waiter, exc)  # the scenario's predicate failed: raise in the greenlet that waits
                continue
            if wanted:
                self.waiting.serve(waiter, message)
                return
            passed_over = passed_over or isinstance(waiter, SkippingWaiter)
        if not passed_over:
            self._keep(message)

    def pop(self, within: float | None) -> Message:
        """Remove and return the oldest message; block up to *within* seconds for one. Raises Expired."""
        if self._held:
            return self._pop()
        return self._wait(Waiter[Message](), within)

    def skip_to(self, wants: Wants, within: float | None) -> Message:
        """Return the first message that *wants* accepts; discard those before it.

        Blocks up to *within* seconds. Raises Expired.
        """
        while self._held:
            message = self._pop()
            if wants(message):
                return message
        return self._wait(SkippingWaiter(wants), within)

    def remove_first(self, wants: Wants, within: float | None) -> Message:
        """Remove and return the first message that *wants* accepts; keep the others.

        Blocks up to *within* seconds. Raises Expired.
        """
        held = self._held
        if held is not None:
            for place, message in enumerate(held):
                if wants(message):
                    del held[place]
                    self._size -= message.size
                    return message
        return self._wait(Waiter[Message](wants), within)

    def end(self, error: Callable[[], BaseException]) -> None:
        """Make current and future waits raise *error*; queued messages can still be read."""
        self._ended = error
        self.waiting.fail_all(error)
        self.waiting.close()

    def _wait(self, waiter: Waiter[Message], within: float | None) -> Message:
        if self._ended is not None:
            raise self._ended()
        return self.waiting.wait(waiter, within)

    def _pop(self) -> Message:
        assert self._held is not None
        message = self._held.popleft()
        self._size -= message.size
        return message

    def _keep(self, message: Message) -> None:
        if self._held is None:
            self._held = deque()
        self._held.append(message)
        self._size += message.size
        while len(self._held) > self._most or self._size > self._most_bytes:
            self._pop()
            self._dropped()


class SkippingWaiter(Waiter[Message]):
    """A waiter that discards the messages before the one it wants."""

    __slots__ = ()
