"""The protocol state of an open WebSocket (RFC 6455): messages, PING and PONG, the closing handshake."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from chaperon.client.network.connect import NetworkContext
from chaperon.client.network.stream import NetworkStream
from chaperon.client.websocket import frames
from chaperon.client.websocket.conversation import Conversation
from chaperon.client.websocket.deflate import MessageDeflater, MessageInflater
from chaperon.client.websocket.frame_decoder import Frame, FrameDecoder
from chaperon.client.websocket.message_queue import Message, MessageQueue
from chaperon.client.websocket.metrics import WebSocketMetrics
from chaperon.client.websocket.transport import SocketTransport
from chaperon.client.websocket.waiters import Waiter, Waiting
from chaperon.clock import Clock
from chaperon.errors import ProtocolViolation, WaitExpired, WebSocketClosed
from chaperon.interrupts import is_signal
from chaperon.measure.exception_text import class_name, describe
from chaperon.measure.failures import classify

PONGS_BEHIND = 64 * 1024
"""Unsent bytes beyond which a PING is not answered, as RFC 6455, 5.5.3 allows."""


class WebSocketProtocol:
    """Queues received messages, answers PINGs, performs the closing handshake.

    It needs no greenlet: the hub calls it for received bytes. *inbox* is the queue of messages. *closed* is
    None while the WebSocket is open, then its end as an exception. *ended* is called once, at the end.
    """

    __slots__ = (
        "_conversation",
        "_decoder",
        "_deflater",
        "_ended",
        "_farewell",
        "_farewells",
        "_leaving",
        "_metrics",
        "_network",
        "_pings",
        "_pongs",
        "_stream",
        "closed",
        "inbox",
    )

    def __init__(
        self,
        stream: NetworkStream,
        first: bytes,
        clock: Clock,
        metrics: WebSocketMetrics,
        network: NetworkContext,
        conversation: Conversation,
        *,
        buffer: int,
        max_size: int,
        ended: Callable[[], object],
        inflater: MessageInflater | None = None,
        deflater: MessageDeflater | None = None,
    ) -> None:
        self.closed: WebSocketClosed | None = None
        self.inbox = MessageQueue(clock, most=buffer, most_bytes=max_size, dropped=metrics.dropped)
        self._metrics = metrics
        self._network = network
        self._conversation = conversation
        self._ended = ended
        self._leaving = False
        self._farewell: WebSocketClosed | None = None
        self._farewells = Waiting(clock)
        self._pings = 0
        self._pongs = Waiting(clock)
        self._stream = SocketTransport(stream, first, clock, readable=self._readable, lost=self._lost)
        self._decoder = FrameDecoder(max_size, inflater)
        self._deflater = deflater

    def begin(self) -> None:
        """Process the bytes received with the handshake and start reading from the hub."""
        self._stream.begin()

    def again(self) -> WebSocketClosed:
        """Return a new exception that describes the close; each caller raises its own."""
        return _again(self.closed or self._farewell or WebSocketClosed(frames.LOST))

    @property
    def over(self) -> bool:
        """Whether messages can no longer be sent."""
        return bool(self.closed or self._farewell)

    def send(self, payload: bytes, opcode: int, within: float | None) -> int:
        """Send a message; block, up to *within* seconds, while the peer does not read. Return its bytes, compressed.

        Raises WebSocketClosed. Beyond *within* the WebSocket is closed as lost.
        """
        if self.over:
            raise self.again()
        is_message = opcode <= frames.BINARY
        if is_message and self._network.over:
            self._network.refuse()
        if is_message and self._deflater is not None:
            payload, opcode = self._deflater.deflate(payload), opcode | frames.COMPRESSED
        try:
            if not self._write(frames.encode(payload, opcode)):
                self._stream.drain(within)
            if is_message:
                self._network.messages_sent += 1
            return len(payload)
        except WaitExpired:
            gone = WebSocketClosed(frames.LOST, f"the peer took nothing for {within:g} s", counted_as="timeout")
            self._end(gone, known=True)
            raise self.again()

    def ping(self, within: float | None) -> float:
        """Send a PING, block up to *within* seconds; return the clock reading at which its PONG arrived.

        Raises WaitExpired, WebSocketClosed.
        """
        self._pings += 1
        mine = self._pings
        self.send(str(mine).encode(), frames.PING, within)
        return self._pongs.wait(Waiter[float](lambda answered: bool(answered >= mine)), within)

    def close(self, code: int, reason: str, within: float | None) -> None:
        """Send a close frame, wait up to *within* seconds for the peer's (RFC 6455, 7.1.2), then close."""
        if self.closed:
            return
        self._leaving = True
        self._say_goodbye(WebSocketClosed(code, reason))
        if not self.closed:
            with suppress(WaitExpired):  # without the peer's close frame, close anyway
                self._farewells.wait(Waiter[None](), within)
        self.abort(code)

    def abort(self, code: int = frames.GOING_AWAY) -> None:
        """Send a close frame if possible and close immediately; does not block."""
        self._leaving = True
        self._say_goodbye(WebSocketClosed(code, "closed by its session"))
        self._end(self._farewell or WebSocketClosed(code))

    def _say_goodbye(self, farewell: WebSocketClosed) -> None:
        if self.over:
            return
        self._farewell = farewell
        with suppress(OSError):  # the connection is already lost
            self._stream.write(frames.encode_close(farewell.code, farewell.reason))

    def _write(self, data: bytes) -> bool:
        try:
            return self._stream.write(data)
        except OSError as exc:
            self._lost(exc)
            raise self.again()

    def _readable(self) -> None:
        try:
            while self.closed is None:
                frame = self._decoder.next_frame()
                if frame is not None:
                    self._accept(frame)
                    continue
                data = self._stream.read()
                if data is None:
                    break
                self._decoder.feed(data)
        except EOFError:
            self._end(WebSocketClosed(frames.LOST, "the connection ended without a close frame"))
        except OSError as exc:
            self._lost(exc)
        except ProtocolViolation as exc:
            broken = WebSocketClosed(exc.code, exc.reason, counted_as=exc.counted_as)
            self._say_goodbye(broken)
            self._end(broken)
        except BaseException as exc:  # raised by the scenario's code, which must not raise into the hub
            if is_signal(exc):
                raise
            self._end(WebSocketClosed(frames.LOST, describe(exc), counted_as=class_name(exc)))
        self._wake()

    def _accept(self, frame: Frame) -> None:
        opcode, payload, size, wire = frame
        if opcode <= frames.BINARY:
            at = self._metrics.received(wire)
            message = Message(payload, at, size, wire)
            self._conversation.add(payload, at, size, 0)
            self.inbox.put(message)
            return
        assert isinstance(payload, bytes)
        if opcode == frames.PING:
            if self._stream.behind < PONGS_BEHIND and not self._farewell:
                with suppress(WebSocketClosed):
                    self._write(frames.encode(payload, frames.PONG))
        elif opcode == frames.PONG:
            self._answered(payload)
        else:
            over = WebSocketClosed(*frames.decode_close(payload))
            self._say_goodbye(over)
            self._end(self._farewell or over)

    def _answered(self, payload: bytes) -> None:
        """Complete the PING of a PONG and all PINGs before it (RFC 6455, 5.5.3); ignore an unsolicited PONG."""
        at = self._metrics.now()
        number = int(payload) if payload.isdigit() else 0
        for waiter in list(self._pongs.line):
            if waiter.wants is not None and waiter.wants(number):
                self._pongs.serve(waiter, at)

    def _lost(self, exc: OSError) -> None:
        self._end(WebSocketClosed(frames.LOST, str(exc), counted_as=classify(exc)))
        self._wake()

    def _end(self, over: WebSocketClosed, *, known: bool = False) -> None:
        if self.closed:
            return
        if self._leaving and self._farewell:
            over = self._farewell  # the code that we sent, not the peer's reply
        self.closed = over
        known = known or self._leaving or bool(self.inbox.waiting or self._pongs or self._stream.waited)
        again = partial(_again, over)
        self._stream.close(again)
        self.inbox.end(again)
        self._pongs.fail_all(again)
        self._pongs.close()
        for waiter in list(self._farewells.line):
            self._farewells.serve(waiter, None)
        self._farewells.close()
        ended, self._ended = self._ended, _do_nothing
        ended()
        try:
            self._metrics.ended(over, known=known)
        finally:
            self._wake()

    def _wake(self) -> None:
        self.inbox.waiting.wake()
        self._pongs.wake()
        self._stream.wake()
        self._farewells.wake()


def _again(over: WebSocketClosed) -> WebSocketClosed:
    error = WebSocketClosed(over.code, over.reason, counted_as=over.counted_as)
    error.__cause__ = over  # the report lists the common cause once
    return error


def _do_nothing() -> None:
    """Do nothing: replaces *ended* once it was called."""
