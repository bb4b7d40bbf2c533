"""Encoding of WebSocket frames, and the payload of close frames (RFC 6455, section 5), without I/O."""

from __future__ import annotations

import struct
from typing import Any, Final

from chaperon.client.websocket.masking import MaskingKeys, apply_mask
from chaperon.errors import ProtocolViolation

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
FIN: Final = 0x80
"""The bit of the first byte of the last frame of a message."""
COMPRESSED: Final = 0x40
"""The bit RSV1 of the first byte of a compressed message (RFC 7692, section 7.2.1)."""
MASKED: Final = 0x80
"""The bit of the second byte of a masked frame."""
NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL: Final = 1002
NO_CODE: Final = 1005
LOST: Final = 1006
BAD_DATA: Final = 1007
TOO_BIG: Final = 1009
CONTROL_MOST: Final = 125
"""Maximum number of bytes of the payload of a control frame, and of a length in one byte."""
CODES = frozenset([*range(1000, 1004), *range(1007, 1015)])
"""The codes below 3000 that a close frame may have: the registry of RFC 6455, section 11.7."""

_KEYS: Final = MaskingKeys()
_mask: Final[Any] = apply_mask
_HEADS: Final = {
    first: [bytes((first, MASKED | size)) for size in range(CONTROL_MOST + 1)]
    for first in (FIN | TEXT, FIN | BINARY, FIN | CLOSE, FIN | PING, FIN | PONG)
}
"""The first two bytes of a short frame, by the first and by the length of the payload: made once, as bytes are."""


def encode(payload: bytes, opcode: int) -> bytes:
    """Return *payload* as one masked frame; *opcode* may have the bit COMPRESSED."""
    first = FIN | opcode
    size = len(payload)
    heads = _HEADS.get(first)
    if size <= CONTROL_MOST and heads is not None:
        head = heads[size]
    elif size <= CONTROL_MOST:
        head = bytes((first, MASKED | size))
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, MASKED | 126, size)
    else:
        head = struct.pack("!BBQ", first, MASKED | 127, size)
    key = _KEYS.next_key()
    masked: bytes = _mask(payload, key)
    return head + key + masked


def encode_close(code: int, reason: str = "") -> bytes:
    """Return a masked close frame; *reason* is truncated to fit the 125 bytes of a control frame."""
    shown = reason.encode()[: CONTROL_MOST - 2].decode(errors="ignore").encode()
    return encode(b"" if code == NO_CODE else struct.pack("!H", code) + shown, CLOSE)


def decode_close(payload: bytes) -> tuple[int, str]:
    """Return code and reason of a close frame's payload; code 1005 if it is empty. Raises ProtocolViolation."""
    if not payload:
        return NO_CODE, ""
    if len(payload) == 1:
        raise ProtocolViolation(PROTOCOL, "a close frame of one byte")
    code = int.from_bytes(payload[:2], "big")
    if code not in CODES and not 3000 <= code < 5000:
        raise ProtocolViolation(PROTOCOL, f"a close frame with the code {code}, which may not be sent")
    return code, decode_text(payload[2:])


def decode_text(data: bytes) -> str:
    """Return UTF-8 as text. Raises ProtocolViolation."""
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise ProtocolViolation(
            BAD_DATA, f"text that is not UTF-8: {exc.reason} at byte {exc.start}", "ws bad utf-8"
        ) from exc
