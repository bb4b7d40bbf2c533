"""Streamed bodies: a response body read on demand, a request body sent in blocks."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from chaperon.client.http.connection import Connection, RawResponse
from chaperon.client.network import exceptions
from chaperon.errors import ConnectionClosedEarly, ProtocolError, SocketTimeout
from chaperon.interrupts import is_a

BLOCK = 16_384
"""Bytes read at a time from a file that is sent as a request body."""


class Body(io.RawIOBase):
    """A response body as a readable binary file, with the transfer coding removed.

    When the body is complete, the connection returns to its pool. If the file is closed earlier, the
    connection is closed. Network errors are raised in the form that urllib3 translates for `requests`.
    *got* counts the bytes received; *ended* is the clock reading, in seconds, of the last read.
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
        """Return *size* bytes, fewer only at the end of the body, or the whole rest without a size. Blocks."""
        whole = size is None or size < 0
        while self._connection is not None and (whole or len(self._ready) < (size or 0)):
            self._more()
        return self._take(len(self._ready) if whole else size or 0)

    def read1(self, size: int = -1) -> bytes:
        """Return up to *size* bytes that are already received; block only if there are none."""
        while self._connection is not None and not self._ready:
            self._more()
        return self._take(len(self._ready) if size < 0 else size)

    def readinto(self, buffer: Any) -> int:
        """Copy received bytes into *buffer* and return their number; block only if there are none."""
        data = self.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def isclosed(self) -> bool:
        """Return whether the body was closed."""
        return self.closed

    def close(self) -> None:
        """Discard unread bytes; close the connection if the body is incomplete."""
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
                raise ConnectionClosedEarly
        except BaseException as exc:
            self._connection = None
            connection.close()
            if is_a(exc, SocketTimeout, ProtocolError, ConnectionClosedEarly):
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
    """Yield a request body as bytes. *body* is None, text, bytes, a file, or an iterable of text or bytes."""
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
    """Yield *parts* in the chunked transfer coding (RFC 9112, 7.1), with the final empty chunk."""
    for part in parts:
        if part:
            yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"
