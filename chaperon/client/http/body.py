"""Streamed bodies: a response body read on demand, a request body sent in blocks."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from http.client import HTTPResponse, IncompleteRead
from typing import Any

import gevent
from requests.exceptions import RequestException
from urllib3 import HTTPHeaderDict

from chaperon.client.http.connection import Connection, RawResponse
from chaperon.client.http.response_head import refused
from chaperon.client.network import exceptions
from chaperon.errors import ConnectionClosedEarly, SocketTimeout
from chaperon.interrupts import is_a

BLOCK = 16_384
"""Bytes read at a time from a file that is sent as a request body."""
FAIR = 1_048_576
"""Bytes received after which other greenlets may run, also if the socket always has more; bytes read at once."""

_SIZE = re.compile(rb"\s*(?:0[xX])?([0-9a-fA-F]{1,16})\s*(?:;.*)?\s*", re.DOTALL)


class Body(HTTPResponse):
    """A response body as the file that urllib3 and `requests` read: an `http.client.HTTPResponse`.

    It returns the same pieces at the same moments as with plain `requests`. Its head was parsed before, by
    `read_head`. When the body is complete, the connection returns to its pool. If the file is closed earlier,
    the connection is closed. Network errors are raised in the form that urllib3 translates for `requests`;
    *failure* is then the original exception. *ended* is the clock reading, in seconds, of the last read. *fault* is an
    exception once the body did not end as it should; *on_end*, if set, is called once, with it.
    """

    def __init__(
        self,
        connection: Connection,
        arrived: RawResponse,
        give_back: Callable[[Connection], None],
        limit: float,
        now: Callable[[], float],
    ) -> None:
        framing = connection.parser.framing
        assert framing is not None
        self.arrived = arrived
        self.ended = arrived.first
        self.failure: BaseException | None = None
        self.fault: BaseException | None = None
        self.on_end: Callable[[BaseException | None], object] | None = None
        self._keep = framing.keep
        self._give_back = give_back
        self._connection: Connection | None = connection
        self._now = now
        self._source = _Source(self, connection, limit)
        self._coded = _CodedFile(self._source, framing.chunked, limit)
        # of the socket it wants, it only calls `makefile`; read_head gave the response to a HEAD request no length
        super().__init__(self, method="GET")  # type: ignore[arg-type]
        self.chunked, self.chunk_left = framing.chunked, None
        self.length, self.will_close = framing.length, not framing.keep
        if self.length == 0:
            self._end(True)
            if b"\r\ntransfer-encoding:" in arrived.head.lower():
                self._close_conn()  # urllib3 would look for chunks

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the file with the transfer coding, which `http.client` and urllib3 decode."""
        return self._coded

    def describe(self, headers: HTTPHeaderDict, version: int) -> None:
        """Set the attributes of the head that `requests` and cookie jars read."""
        self.status = self.code = self.arrived.status
        self.headers = self.msg = headers  # type: ignore[assignment]
        self.version = version

    def receive(self, stream: Any) -> bytes:
        """Return received bytes of the network *stream*; block only if there are none."""
        try:
            data: bytes = stream.receive()
        except BaseException as exc:
            raise self.fail(exc) from exc
        self.ended = self._now()
        return data

    def fail(self, exc: BaseException) -> BaseException:
        """Close the connection; return *exc* in the form that urllib3 expects from a file."""
        self.failure = self.failure or exc
        self._end(False)
        if is_a(exc, SocketTimeout):
            return exceptions.within_body(exc, self._source.received)
        return exc

    def _close_conn(self) -> None:  # called by `http.client` at the end of the body, and by `close`
        self.fp = None  # type: ignore[assignment]
        source, coded = self._source, self._coded
        sized = self.length == 0 or (self.length is None and source.at_end)
        self._end(coded.complete if self.chunked else sized)

    def _end(self, whole: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        source, self._source.body = self._source, None
        if whole and self._keep and not source.at_end and not self._coded.has_surplus():
            connection.parser.finish(keep=True)
            self._give_back(connection)
        else:
            connection.close()
        if not whole:
            self.ended = self._now()
        cut = ConnectionClosedEarly() if source.at_end and not whole else None
        fault = self.failure or cut
        if fault is not None and not is_a(fault, RequestException):
            fault = exceptions.cut_short(fault, None, source.received)
        self.fault = fault
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end(fault)


class _Source(io.RawIOBase):
    """The bytes of a body as they are received, transfer coding included."""

    def __init__(self, body: Body, connection: Connection, limit: float) -> None:
        super().__init__()
        self.body: Body | None = body
        first = connection.parser.rest
        self.received = len(first)
        self.at_end = False
        self._stream = connection.stream
        self._limit = limit
        self._rest = memoryview(first)
        self._switched = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the file descriptor of the connection, or -1."""
        return self._stream.fileno()

    def readinto(self, buffer: Any) -> int | None:
        """Copy received bytes into *buffer* and return their number; None if the body has ended."""
        if not self._rest and not self.at_end:
            if self.body is None:
                return None
            self._receive(self.body)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def _receive(self, body: Body) -> None:
        if self.received - self._switched > FAIR:  # `receive` does not switch while the socket has more
            self._switched = self.received
            gevent.sleep(0)
            if body._now() > self._stream.deadline:
                raise body.fail(SocketTimeout(whole=True))
        data = body.receive(self._stream)
        self.received += len(data)
        self.at_end = not data
        self._rest = memoryview(data)
        if not body.chunked and self.received > self._limit:
            raise body.fail(exceptions.too_large(self._limit))


class _CodedFile(io.BufferedReader):
    """A body with its transfer coding, which `http.client` or urllib3 removes.

    Follows the chunks, so that it knows the end of the message, *complete*, whichever of the two reads. Bare LF
    behind a chunk is accepted, as curl does.
    """

    def __init__(self, source: _Source, chunked: bool, limit: float) -> None:
        super().__init__(source)
        self.complete = False
        self._chunked = chunked
        self._limit = limit
        self._left = 0
        self._payload = 0
        self._trailing = False

    def has_surplus(self) -> bool:
        """Return whether bytes were received behind the end of the body."""
        return bool(self.peek(1))

    def readline(self, size: int | None = -1) -> bytes:
        """Return a line; of a chunked body these are chunk sizes and trailers."""
        line = super().readline(size)
        if not self._chunked:
            return line
        if self._trailing:
            self.complete = line in (b"\r\n", b"\n")
            return b"\r\n" if self.complete else line
        if not line:
            raise IncompleteRead(b"")
        found = _SIZE.fullmatch(line)
        if found is None:
            error = refused("not a chunk size", line)
            raise exceptions.within_body(error, self._payload) from error
        self._left = int(found[1], 16)
        self._trailing = self._left == 0
        self._payload += self._left
        if self._payload > self._limit:
            raise exceptions.too_large(self._limit)
        return line

    def read(self, size: int | None = -1) -> bytes:
        """Return *size* bytes, fewer only at the end. Blocks."""
        if self._chunked and self._left == 0 and size == 2 and self.peek(1)[:1] == b"\n":
            return super().read(1) + b"\n"
        if size is None or size <= FAIR:
            return self._counted(super().read(size))
        parts = []  # in blocks: memory for an absurd size would be allocated at once
        while size > 0 and (part := self._counted(super().read(min(size, FAIR)))):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def read1(self, size: int = -1) -> bytes:
        """Return up to *size* bytes; block only if none are received."""
        return self._counted(super().read1(size))

    def readinto(self, buffer: Any) -> int:
        """Fill *buffer* and return the number of bytes, fewer only at the end. Blocks."""
        size = super().readinto(buffer)
        self._left -= size if self._chunked else 0
        return size

    def _counted(self, data: bytes) -> bytes:
        if self._chunked and self._left:
            self._left -= len(data)
        return data


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
