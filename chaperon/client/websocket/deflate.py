"""Compression of WebSocket messages: the extension permessage-deflate (RFC 7692), without I/O."""

from __future__ import annotations

import zlib
from typing import Any

from chaperon.client.websocket.frames import PROTOCOL, TOO_BIG
from chaperon.errors import ProtocolViolation
from chaperon.measure.quantity import count_text

END = b"\x00\x00\xff\xff"
"""The last bytes of each message, which are not sent (RFC 7692, section 7.2.1)."""
MEMORY = 5
"""`memLevel` of zlib: 16 kB for its tables in place of 128 kB, at little cost in size."""
WINDOWS = range(9, 16)
"""The windows of zlib, as base-2 logarithms of bytes: it compresses with none of 8, and reads what was made with it."""
STREAMS = 16
"""Maximum number of DEFLATE streams in one message: a compressor makes one, or ends it with each message."""


class MessageInflater:
    """Decompresses received messages.

    *window* is the base-2 logarithm of the window in bytes, 8 to 15. With *anew* no message refers to those before it.
    """

    __slots__ = ("_anew", "_stream", "_window")

    def __init__(self, window: int = 15, anew: bool = False) -> None:
        self._window = max(window, WINDOWS.start)
        self._anew = anew
        self._stream: Any = None

    def inflate(self, data: bytes, most: int) -> bytes:
        """Return the message of a compressed payload. Raises ProtocolViolation beyond *most* bytes, or for no DEFLATE.

        It allocates no more than *most* bytes, however much *data* would become.
        """
        data += END
        found: bytes = b""
        for _ in range(STREAMS):
            if self._stream is None:
                self._stream = zlib.decompressobj(-self._window)
            stream = self._stream
            try:
                found += stream.decompress(data, most + 1 - len(found))
            except zlib.error as exc:
                raise ProtocolViolation(PROTOCOL, f"a compressed message that is not DEFLATE: {exc}") from exc
            if len(found) > most:
                raise ProtocolViolation(
                    TOO_BIG, f"a compressed message of more than {count_text(most, 'byte')} (max_size=)", "ws too big"
                )
            if not stream.eof:
                if self._anew:
                    self._stream = None
                return found
            data, self._stream = stream.unused_data, None  # a last block ends a stream (RFC 7692, section 7.2.3.4)
            if data in (END, b"\x00" + END):
                return found
        raise ProtocolViolation(PROTOCOL, f"a compressed message of more than {STREAMS} DEFLATE streams")


class MessageDeflater:
    """Compresses messages to be sent; the parameters are those of `MessageInflater`, *window* one of WINDOWS."""

    __slots__ = ("_anew", "_stream", "_window")

    def __init__(self, window: int = 15, anew: bool = False) -> None:
        self._window = window
        self._anew = anew
        self._stream: Any = None

    def deflate(self, data: bytes) -> bytes:
        """Return the compressed payload of a message."""
        if self._stream is None:
            self._stream = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -self._window, MEMORY)
        stream = self._stream
        if self._anew:
            self._stream = None
        made: bytes = stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)
        return made[: -len(END)]
