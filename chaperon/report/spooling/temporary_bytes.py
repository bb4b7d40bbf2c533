"""Bytes in a file without a name, which the system removes when the process ends."""

from __future__ import annotations

import os
import tempfile
import weakref
from typing import IO


class TemporaryBytes:
    """Bytes that are appended to a file without a name and read anywhere. The file is made when it is first needed.

    It is closed when this object is dropped; a class for itself, because a compiled one has no weak references.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None

    def __repr__(self) -> str:
        return f"<TemporaryBytes {'without' if self._file is None else 'with'} a file>"

    def append(self, data: bytes) -> None:
        """Append *data*. Blocks to write; raises OSError."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  open until this is dropped
            weakref.finalize(self, self._file.close)
        left = memoryview(data)
        while left:  # a write may be partial
            left = left[self._file.write(left) :]

    def read(self, offset: int, length: int) -> bytes:
        """Return *length* bytes that were appended at an *offset*. Blocks to read; raises OSError."""
        assert self._file is not None
        return os.pread(self._file.fileno(), length, offset)
