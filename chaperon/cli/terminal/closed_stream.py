"""What stands in for a standard stream that the process was started without."""

from __future__ import annotations

import io
from typing import Any

from chaperon.errors import StandardStreamClosed


class ClosedStream(io.StringIO):
    """In place of a standard stream that the process was started without: writing raises StandardStreamClosed."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    @property
    def buffer(self) -> Any:
        """The binary stream: itself."""
        return self

    def write(self, text: str) -> int:
        """Raise StandardStreamClosed."""
        raise StandardStreamClosed(self._name)


def is_closed(stream: object) -> bool:
    """Return whether *stream* is none, or stands in for one that the process was started without."""
    return stream is None or isinstance(stream, ClosedStream) or isinstance(getattr(stream, "stream", 0), ClosedStream)
