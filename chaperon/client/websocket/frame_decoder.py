"""Incremental decoding of WebSocket frames to messages (RFC 6455, section 5), without I/O: bytes in, messages out."""

from __future__ import annotations

from typing import Final

from chaperon.client.websocket.deflate import MessageInflater
from chaperon.client.websocket.frames import (
    BINARY,
    CLOSE,
    COMPRESSED,
    CONTROL_MOST,
    FIN,
    MASKED,
    PONG,
    PROTOCOL,
    TEXT,
    TOO_BIG,
    decode_text,
)
from chaperon.errors import ProtocolViolation

Frame = tuple[int, str | bytes, int, int]
"""A message or a control frame: opcode, payload (str of TEXT), its length in bytes, and the bytes it was sent in."""
HEAD: Final = 2
"""Bytes of the shortest head of a frame."""


class FrameDecoder:
    """Decodes what a server sends, and joins fragments to messages of at most *most* bytes.

    `feed` adds received bytes, in pieces of any length, and `next_frame` returns what is complete, one message
    or control frame at a time. *inflater* decompresses messages where compression was agreed on.
    """

    __slots__ = ("_at", "_compressed", "_data", "_inflater", "_joined", "_kind", "_most", "_need", "_partial")

    def __init__(self, most: int, inflater: MessageInflater | None = None) -> None:
        self._most = most
        self._inflater = inflater
        self._data = b""
        self._at = 0
        self._partial: bytearray | None = None  # a frame that has not come whole
        self._need = HEAD
        self._kind = 0  # opcode of the message whose fragments are joined, 0 between messages
        self._compressed = False
        self._joined: bytearray | None = None

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        partial = self._partial
        if partial is not None:
            partial += data
            if len(partial) >= self._need:
                self._data, self._at, self._partial = bytes(partial), 0, None
        elif self._at < len(self._data):
            self._data, self._at = self._data[self._at :] + data, 0
        else:
            self._data, self._at = data, 0

    def next_frame(self) -> Frame | None:
        """Return the next message or control frame, None if more bytes must be fed first.

        Raises ProtocolViolation as soon as a head is complete that may not be sent, before its payload has come.
        """
        while True:
            data, at = self._data, self._at
            left = len(data) - at
            if left < HEAD:
                self._wait(HEAD, left)
                return None
            first, size, head = data[at], data[at + 1], HEAD
            if size > CONTROL_MOST:
                if size & MASKED:
                    raise ProtocolViolation(PROTOCOL, "a masked frame from a server")
                head = 4 if size == 126 else 10
                if left < head:
                    self._wait(head, left)
                    return None
                size = data[at + 2] << 8 | data[at + 3] if head == 4 else int.from_bytes(data[at + 2 : at + 10], "big")
            opcode = first & 0x0F
            alone = self._kind == 0 and (first == FIN | TEXT or first == FIN | BINARY)
            if not alone or size > self._most:
                self._check(first, opcode, size)
            end = at + head + size
            if end > len(data):
                self._wait(head + size, left)
                return None
            payload = data[at + head : end]
            self._at = end
            if alone:
                return opcode, decode_text(payload) if opcode == TEXT else payload, size, size
            if opcode >= CLOSE:
                return opcode, payload, size, size
            message = self._join(first, opcode, payload)
            if message is not None:
                return message

    def _wait(self, need: int, left: int) -> None:
        """Keep the *left* bytes of a frame until *need* bytes of it have come."""
        if left:
            self._partial = bytearray(self._data[self._at :])
            self._need = need
        self._data, self._at = b"", 0

    def _check(self, first: int, opcode: int, size: int) -> None:
        """Check the head of a frame. Raises ProtocolViolation."""
        fragment = self._kind > 0 or not opcode
        may_compress = self._inflater is not None and opcode in (TEXT, BINARY)
        if first & 0x70 and not (may_compress and first & 0x70 == COMPRESSED):
            raise ProtocolViolation(PROTOCOL, "reserved bits that no extension was agreed on for")
        if BINARY < opcode < CLOSE or opcode > PONG:
            raise ProtocolViolation(PROTOCOL, f"a frame with the unknown opcode {opcode}")
        if opcode >= CLOSE:
            if size > CONTROL_MOST or not first & FIN:
                raise ProtocolViolation(PROTOCOL, "a control frame that is fragmented, or longer than 125 bytes")
            return
        if fragment and (opcode != 0) == (self._kind != 0):
            raise ProtocolViolation(
                PROTOCOL, "a message within a message" if opcode else "the rest of a message never begun"
            )
        if self._joined is not None:
            size += len(self._joined)
        most = self._most
        if self._inflater is not None and (self._compressed if fragment else first & COMPRESSED):
            most += (most >> 4) + 64  # what cannot be compressed grows by 5 bytes a block, of 128 bytes or more
        if size > most:
            raise too_big(size, self._most)

    def _join(self, first: int, opcode: int, payload: bytes) -> Frame | None:
        """Add a fragment of a message; return the message if it is complete."""
        if opcode:
            self._kind, self._compressed = opcode, first & COMPRESSED != 0
        joined = self._joined
        if joined is not None:
            joined += payload
        if not first & FIN:
            if joined is None:
                self._joined = bytearray(payload)
            return None
        whole = payload if joined is None else bytes(joined)
        kind, self._kind, self._joined = self._kind, 0, None
        size = len(whole)
        if self._compressed and self._inflater is not None:
            whole = self._inflater.inflate(whole, self._most)
        return kind, decode_text(whole) if kind == TEXT else whole, len(whole), size


def too_big(size: int, most: int) -> ProtocolViolation:
    """Return the violation of a message of *size* bytes."""
    return ProtocolViolation(TOO_BIG, f"a message of {size:,} bytes; at most {most:,} (max_size=)", "ws too big")
