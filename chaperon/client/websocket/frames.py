"""Messages to frames, frames to messages, as RFC 6455 has them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import nullcontext
from os import urandom
from typing import Any, NamedTuple

from websocket import WebSocketProtocolException, frame_buffer

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
NORMAL, GOING_AWAY, PROTOCOL, NO_CODE, LOST, BAD_DATA, TOO_BIG = 1000, 1001, 1002, 1005, 1006, 1007, 1009
CONTROL_MOST = 125
BULK = 4096
WORDS = 16 * 1024

_ALONE: Any = nullcontext()  # one reader a socket, so that the library needs no lock


class NeedMoreData(Exception):
    """A source has no more bytes for now."""


class ProtocolViolation(Exception):
    """The peer broke the protocol, or a bound of ours; *code* is what to close with."""

    def __init__(self, code: int, reason: str, counted_as: str = "ws protocol") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.counted_as = counted_as


class Frame(NamedTuple):
    """A whole message, or a control frame; *payload* is decoded where it is text."""

    opcode: int
    payload: str | bytes
    size: int


class _Keys:
    """Masking keys, asked of the system in bulk: a call for each frame took a fifth of an echo's time."""

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
    """Return a message as one masked frame: websocket-client's way takes three times as long for a short one."""
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
    """Return a close frame; a reason that is too long for one is cut."""
    said = reason.encode()[: CONTROL_MOST - 2].decode(errors="ignore").encode()
    return encode(b"" if code == NO_CODE else struct.pack("!H", code) + said, CLOSE)


def decode_close(payload: bytes) -> tuple[int, str]:
    """Return code and reason of a close frame."""
    if not payload:
        return NO_CODE, ""
    return struct.unpack_from("!H", payload)[0], _text(payload[2:])


class Frames(frame_buffer):
    """Takes frames from a source of bytes that may run dry after any of them.

    *read* returns some bytes, however many were asked for, or raises NeedMoreData; reading is then
    resumed where it was left. No message may be longer than *most* bytes.
    """

    def __init__(self, read: Callable[[int], bytes], most: int) -> None:
        super().__init__(read, skip_utf8_validation=True)  # in C instead: its own takes 0.1 µs a byte
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
        """Refuse what is too long, or of another protocol, before any of it is read."""
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
        """Refuse masked frames, which only clients may send."""
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
