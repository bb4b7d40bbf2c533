"""The blocking calls of a WebSocket, each recorded as a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chaperon.client.websocket.conversation import Conversation
from chaperon.client.websocket.message_queue import Message
from chaperon.client.websocket.metrics import USUAL_ENDS, WebSocketMetrics
from chaperon.client.websocket.protocol import WebSocketProtocol
from chaperon.errors import WaitExpired, WebSocketClosed, WebSocketTimeout
from chaperon.interrupts import is_a

# mypyc: `WebSocket` is not compiled, as a compiled class refuses arguments of other types than it declares before it
# can say what is wrong with them. What takes time of each message is here, and takes arguments that are checked.


class MeasuredCalls:
    """Sends and receives over one WebSocket, and records how long each call took, or why it failed.

    *within* is the time limit of a call in seconds, None for no limit. *received_at* is the clock reading, in
    seconds, at which the message returned last had arrived. *unanswered*: none was returned since the last send.

    A call waits for an answer if it wants a certain message, or if the last send is unanswered. If it is cut then,
    it is censored; otherwise it only listened.
    """

    __slots__ = ("_conversation", "metrics", "protocol", "received_at", "unanswered")

    def __init__(self, protocol: WebSocketProtocol, metrics: WebSocketMetrics, conversation: Conversation) -> None:
        self._conversation = conversation
        self.protocol = protocol
        self.metrics = metrics
        self.received_at: float = metrics.now()
        self.unanswered = False

    def send(self, payload: bytes, opcode: int, within: float | None) -> float:
        """Send a message; return the clock reading, in seconds, of the call.

        Blocks while the peer does not read. Raises WebSocketClosed.
        """
        protocol, metrics = self.protocol, self.metrics
        at: float = metrics.now()
        over = protocol.over
        self._conversation.add(payload, at, len(payload), opcode)
        try:
            size = protocol.send(payload, opcode, within)
        except BaseException as exc:
            self.failed(metrics.names.send, at, exc, over)
            raise
        self.unanswered = True
        metrics.sent(at, size)
        return at

    def next_message(self, within: float | None) -> Message:
        """Remove and return the oldest message; block for one. Raises WebSocketTimeout, WebSocketClosed."""
        inbox = self.protocol.inbox
        if not inbox:
            return self.receive(None, within)
        message = inbox.pop(None)
        self.unanswered = False
        self.received_at = message.at
        now: float = self.metrics.now()
        self._conversation.read_at = now
        self.metrics.read(now, now, message.wire)
        return message

    def next_unless_over(self, within: float | None) -> Message | None:
        """Return what `next_message` returns, None at a normal close. Blocks. Raises what `next_message` raises."""
        inbox = self.protocol.inbox
        return self.next_message(within) if inbox else self._receive(None, within, True)

    def receive(self, how: Callable[[float | None], Message] | None, within: float | None) -> Message:
        """Return the message that *how* returns, the next one for None. Blocks.

        Raises WebSocketTimeout, WebSocketClosed.
        """
        message = self._receive(how, within, False)
        assert message is not None
        return message

    def failed(self, series: str, start: float, exc: BaseException, over: bool, *, listened: bool = False) -> None:
        """Record a failed call, unless the WebSocket was closed before it: the close is already recorded.

        A call that only *listened*, for no answer, has no natural end.
        """
        if not (over and is_a(exc, WebSocketClosed)):
            self.metrics.waited(series, start, self.metrics.now(), exc, listened=listened)

    def wait(
        self, how: Callable[[float | None], Any] | None, within: float | None, start: float, wanted: str = "message"
    ) -> Any:
        """Return what *how* returns, the next message for None; blocks since *start*. *wanted* names it in the error.

        Raises WebSocketTimeout, WebSocketClosed.
        """
        metrics = self.metrics
        metrics.lag.begin(start)
        try:
            return self.protocol.inbox.pop(within) if how is None else how(within)
        except WaitExpired as exc:
            if not exc.raised_here:
                raise
            raise WebSocketTimeout(f"no {wanted} on {metrics.place} within {within:g} s") from None
        finally:
            metrics.lag.end(metrics.now())

    def _receive(
        self, how: Callable[[float | None], Message] | None, within: float | None, may_end: bool
    ) -> Message | None:
        metrics = self.metrics
        start: float = metrics.now()
        over = self.protocol.closed is not None
        listened = how is None and (may_end or not self.unanswered)
        try:
            message: Message = self.wait(how, within, start, "message" if how is None else "matching message")
        except BaseException as exc:
            if may_end and is_a(exc, WebSocketClosed) and exc.code in USUAL_ENDS:
                return None
            self.failed(metrics.names.recv, start, exc, over, listened=listened)
            raise
        self.unanswered = False
        self.received_at = message.at
        now: float = metrics.now()
        self._conversation.read_at = now
        metrics.read(start, now, message.wire)
        return message
