"""Frames: the records of a run file, each with its length, checksum and type.

A frame is `length | crc32 | type | payload`: two little-endian 32-bit numbers, one byte, and
*length* bytes. The checksum covers the type and the payload (CRC-32 of ISO 3309, as in zlib).
Frames are only ever appended, so a process that is killed leaves at most one incomplete frame.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from chaperon.measure.encoding.strict_msgpack import LARGEST

_HEAD = struct.Struct("<IIB")
MOST_PAYLOAD = LARGEST
"""Maximum length of a payload, in bytes."""


class Digest(Protocol):
    """What adds bytes up to a hash, as `hashlib.sha256()` does."""

    def update(self, data: bytes, /) -> None:
        """Add *data*."""


def write_frame(fd: int, kind: int, payload: bytes, digest: Digest | None = None) -> int:
    """Append one frame to a file descriptor, add it to *digest* if given, and return its size in bytes.

    Blocks; raises OSError, and ValueError if *payload* is longer than `MOST_PAYLOAD`.
    """
    if len(payload) > MOST_PAYLOAD:
        raise ValueError(f"a frame of {len(payload):,} bytes exceeds the limit of {MOST_PAYLOAD:,}")
    checksum = zlib.crc32(payload, zlib.crc32(bytes((kind,))))
    frame = _HEAD.pack(len(payload), checksum, kind) + payload
    left = memoryview(frame)
    while left:
        left = left[os.write(fd, left) :]
    if digest is not None:
        digest.update(frame)
    return len(frame)


class FrameReader:
    """Iterates over the (type, payload) pairs of a file, up to the end or the first damaged frame.

    No more than one frame is held in memory, and a length is checked before anything is read.
    Afterwards *good* is the number of bytes in whole frames, and *damaged* is true if bytes
    after them are no frame.
    """

    def __init__(self, file: BinaryIO, *, start: int = 0) -> None:
        self._file = file
        self.good = start
        self.damaged = False

    def __repr__(self) -> str:
        return f"<FrameReader at byte {self.good:,}{', damaged' if self.damaged else ''}>"

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield each frame. Blocks while it reads; raises OSError."""
        self._file.seek(self.good)
        while head := self._file.read(_HEAD.size):
            if len(head) < _HEAD.size:
                self.damaged = True
                return
            length, checksum, kind = _HEAD.unpack(head)
            payload = self._file.read(length) if length <= MOST_PAYLOAD else b""
            if len(payload) != length or checksum != zlib.crc32(payload, zlib.crc32(bytes((kind,)))):
                self.damaged = True
                return
            self.good += _HEAD.size + length
            yield kind, payload
