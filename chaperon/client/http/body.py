"""A response whose body is read while it comes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from chaperon.client.http.connection import Connection, RawResponse
from chaperon.client.network import exceptions
from chaperon.client.network.exceptions import ProtocolError
from chaperon.client.network.stream import SocketTimeout
from chaperon.interrupts import is_a

BLOCK = 16_384


class Body(io.RawIOBase):
    """The body of a response, transfer coding undone, as a file.

    At its end the connection is given back; closed before, the connection is closed too.
    Raises what the fault of the wire is, which urllib3 translates.
    """

    def __init__(
        self,
        connection: Connection,
        arrived: RawResponse,
        give_back: Callable[[Connection], None],
        limit: float,
        now: Callable[[], float],
    ) -> None:
        super().__init__()
        self.arrived = arrived
        self.ended = arrived.first
        self._connection: Connection | None = connection
        self._give_back = give_back
        self._now = now
        self._limit = limit
        self._ready = bytearray()
        self.got = 0
        self._gather()

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Return up to *size* bytes, fewer only at the end; everything without a size."""
        whole = size is None or size < 0
        while self._connection is not None and (whole or len(self._ready) < (size or 0)):
            self._more()
        return self._take(len(self._ready) if whole else size or 0)

    def read1(self, size: int = -1) -> bytes:
        """Return what has come, waiting only if nothing has."""
        while self._connection is not None and not self._ready:
            self._more()
        return self._take(len(self._ready) if size < 0 else size)

    def readinto(self, buffer: Any) -> int:
        """Fill *buffer* with what has come."""
        data = self.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def isclosed(self) -> bool:
        """Whether everything was read, or the body closed."""
        return self.closed

    def close(self) -> None:
        """Give up on what has not come."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self.ended = self._now()
            connection.close()
        self._ready.clear()
        super().close()

    def _take(self, size: int) -> bytes:
        data = bytes(self._ready[:size])
        del self._ready[:size]
        return data

    def _more(self) -> None:
        connection = self._connection
        assert connection is not None
        try:
            data = connection.stream.receive()
            self.ended = self._now()
            if data:
                connection.parser.feed(data)
                if self.got + sum(map(len, connection.parser.pieces)) > self._limit:
                    raise exceptions.too_large(self._limit)
            elif not connection.parser.end():
                raise exceptions.ConnectionClosedEarly
        except BaseException as exc:
            self._connection = None
            connection.close()
            if is_a(exc, SocketTimeout, ProtocolError, exceptions.ConnectionClosedEarly):
                raise exceptions.within_body(exc, self.got) from exc
            raise
        self._gather()

    def _gather(self) -> None:
        connection = self._connection
        assert connection is not None
        pieces = connection.parser.pieces
        for piece in pieces:
            self._ready += piece
            self.got += len(piece)
        pieces.clear()
        if connection.parser.done:
            self._connection = None
            self._give_back(connection)


def blocks(body: Any) -> Iterator[bytes]:
    """Yield what a request's body is made of: bytes, text, a file, an iterable of either."""
    if body is None:
        return
    if isinstance(body, str):
        yield body.encode("utf-8")
    elif hasattr(body, "read"):
        while block := body.read(BLOCK):
            yield block.encode("utf-8") if isinstance(block, str) else block
    else:
        try:
            yield bytes(memoryview(body))
        except TypeError:
            yield from _each(body)


def _each(body: Iterable[Any]) -> Iterator[bytes]:
    for block in body:
        if block:
            yield block.encode("utf-8") if isinstance(block, str) else bytes(memoryview(block))


def in_chunks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield *parts* in the chunked transfer coding."""
    for part in parts:
        if part:
            yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"
