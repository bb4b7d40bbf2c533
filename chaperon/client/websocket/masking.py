"""The masking of frames that a client sends (RFC 6455, section 5.3)."""

from __future__ import annotations

from os import urandom

try:
    from websockets.speedups import apply_mask
except ImportError:  # `websockets` was installed without its C module
    from chaperon.client.websocket.integer_mask import apply_mask

__all__ = ["MaskingKeys", "apply_mask"]

BULK = 4096
"""Bytes of masking keys read from the system at once: one call for each frame takes a fifth of the time of an echo."""


class MaskingKeys:
    """A source of unpredictable masking keys."""

    __slots__ = ("_at", "_bytes")

    def __init__(self) -> None:
        self._bytes = b""
        self._at = 0

    def next_key(self) -> bytes:
        """Return the next masking key, 4 bytes."""
        at = self._at
        if at == len(self._bytes):
            self._bytes, at = urandom(BULK), 0
        self._at = at + 4
        return self._bytes[at : at + 4]
