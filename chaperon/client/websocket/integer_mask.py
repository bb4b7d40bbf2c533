"""Masking by integers of any length, for where `websockets` has no C module."""

from __future__ import annotations


def apply_mask(data: bytes | bytearray | memoryview, mask: bytes | bytearray) -> bytes:
    """Return *data* with each byte combined with a byte of the 4 bytes of *mask* by exclusive or, in turn."""
    size = len(data)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(data, "little") ^ key).to_bytes(size, "little")
