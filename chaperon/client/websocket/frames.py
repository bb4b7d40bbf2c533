"""Encoding and decoding of WebSocket frames (RFC 6455, section 5), without I/O."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import nullcontext
from os import urandom
from typing import Any, NamedTuple

from websocket import WebSocketProtocolException, frame_buffer

from chaperon.errors import ProtocolViolation

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
NORMAL, GOING_AWAY, PROTOCOL, NO_CODE, LOST, BAD_DATA, TOO_BIG = 1000, 1001, 1002, 1005, 1006, 1007, 1009
CONTROL_MOST = 125
BULK = 4096
WORDS = 16 * 1024

_ALONE: Any = nullcontext()  # replaces the library's lock: each socket has a single reader


class Frame(NamedTuple):
    """A complete message or a control frame; *payload* is str for text, *size* its length in bytes."""

    opcode: int
    payload: str | bytes
    size: int


class _Keys:
    """Masking keys, read from the system in bulk: one call per frame takes a fifth of the time of an echo."""

    def __init__(self) -> None:
        self._bytes = b""
        self._at = 0

    def next_key(self) -> bytes:
        if self._at == len(self._bytes):
            self._bytes, self._at = urandom(BULK), 0
        self._at += 4
        return self._bytes[self._at - 4 : self._at]


_KEYS = _Keys()
_ONES = int.from_bytes(b"\1\0\0\0" * WORDS, "little")


def encode(payload: bytes, opcode: int) -> bytes:
    """Return *payload* as one masked frame. For short messages three times as fast as websocket-client's encoder."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    key = _KEYS.next_key()
    words = (size + 3) // 4
    ones = _ONES >> 32 * (WORDS - words) if words <= WORDS else int.from_bytes(b"\1\0\0\0" * words, "little")
    masked = int.from_bytes(payload, "little") ^ int.from_bytes(key, "little") * ones
    return head + key + masked.to_bytes(words * 4, "little")[:size]


def encode_close(code: int, reason: str = "") -> bytes:
    """Return a masked close frame; *reason* is truncated to fit the 125 bytes of a control frame."""
    said = reason.encode()[: CONTROL_MOST - 2].decode(errors="ignore").encode()
    return encode(b"" if code == NO_CODE else struct.pack("!H", code) + said, CLOSE)


def decode_close(payload: bytes) -> tuple[int, str]:
    """Return code and reason of a close frame's payload; code 1005 if it is empty. Raises ProtocolViolation."""
    if not payload:
        return NO_CODE, ""
    return struct.unpack_from("!H", payload)[0], _text(payload[2:])


class Frames(frame_buffer):
    """Reads frames from a source of bytes and joins fragments to messages of at most *most* bytes.

    *read* is called with the number of bytes wanted. It returns one or more bytes, of any number, or raises
    NeedMoreData; the next call of `next_frame` then resumes at the same byte.
    """

    def __init__(self, read: Callable[[int], bytes], most: int) -> None:
        super().__init__(read, skip_utf8_validation=True)  # `str()` validates in C; the library takes 0.1 µs a byte
        self.lock = _ALONE
        self._most = most
        self._kind = 0
        self._pieces = bytearray()

    def next_frame(self) -> Frame:
        """Return the next message or control frame; raises NeedMoreData, ProtocolViolation and what *read* raises."""
        while True:
            try:
                frame = self.recv_frame()
            except WebSocketProtocolException as exc:
                raise ProtocolViolation(PROTOCOL, str(exc)) from exc
            opcode, data = frame.opcode, frame.data
            assert isinstance(data, bytes)
            if opcode < CLOSE and (self._kind or not frame.fin or not opcode):
                self._join(opcode, data)
                if not frame.fin:
                    continue
                opcode, data = self._kind, bytes(self._pieces)
                self._kind, self._pieces = 0, bytearray()
            return Frame(opcode, _text(data) if opcode == TEXT else data, len(data))

    def recv_length(self) -> None:
        """Check reserved bits and length of a frame before its payload is read. Raises ProtocolViolation."""
        super().recv_length()
        assert self.header is not None
        if any(self.header[1:4]):
            raise ProtocolViolation(PROTOCOL, "reserved bits that no extension was agreed on for")
        size = self.length or 0
        if self.header[4] >= CLOSE:
            if size > CONTROL_MOST or not self.header[0]:
                raise ProtocolViolation(PROTOCOL, "a control frame that is fragmented, or longer than 125 bytes")
        elif size + len(self._pieces) > self._most:
            size += len(self._pieces)
            raise ProtocolViolation(
                TOO_BIG, f"a message of {size:,} bytes; at most {self._most:,} (max_size=)", "ws too big"
            )

    def recv_mask(self) -> None:
        """Reject masked frames: a server must not mask (RFC 6455, 5.1). Raises ProtocolViolation."""
        if self.has_mask():
            raise ProtocolViolation(PROTOCOL, "a masked frame from a server")
        super().recv_mask()

    def _join(self, opcode: int, data: bytes) -> None:
        if bool(opcode) == bool(self._kind):
            raise ProtocolViolation(
                PROTOCOL, "a message within a message" if opcode else "the rest of a message never begun"
            )
        self._kind = self._kind or opcode
        self._pieces += data


def _text(data: bytes) -> str:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as exc:
        raise ProtocolViolation(
            BAD_DATA, f"text that is not UTF-8: {exc.reason} at byte {exc.start}", "ws bad utf-8"
        ) from exc
