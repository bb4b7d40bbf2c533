"""Standard streams for the code of authors: what cannot be printed is dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from chaperon.cli.terminal.clean_stream import CleanStream
from chaperon.cli.terminal.closed_stream import ClosedStream
from chaperon.cli.terminal.lines import print_line
from chaperon.errors import StandardStreamClosed

_shared: Path | None = None
_printed: set[str] = set()
"""The names of the streams whose failure this process has printed, or another one for it."""


def print_failures_once_in(folder: Path) -> None:
    """Print why a stream failed once in all processes that call this with *folder*, which have the streams in common.

    What this process has printed before counts.
    """
    global _shared
    _shared = folder
    for name in _printed:
        _is_first(name)


def _is_first(name: str) -> bool:
    """Return whether no other process has printed that the stream *name* fails; none prints it after this call."""
    _printed.add(name)
    if _shared is not None:
        try:
            (_shared / f"standard-{name}-failed").touch(exist_ok=False)
        except FileExistsError:
            return False
        except OSError:  # the folder is gone, or full: a line too many is better than none
            pass
    return True


class ForgivingStream(CleanStream):
    """A clean stream for the code of authors: what cannot be printed is dropped, so that no visit fails by its prints.

    *name* is "output" or "error". The first failure is printed on the other standard stream, if that works; see
    `print_failures_once_in`. Chaperon itself prints on the stream that is wrapped, and gets its errors.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        super().__init__(stream)
        self._name = name
        self._dropping = isinstance(stream, ClosedStream)

    @property
    def buffer(self) -> _ForgivingBytes:
        """The binary stream below; what cannot be written to it is dropped, too."""
        return _ForgivingBytes(self.stream.buffer, self.attempt)

    def write(self, text: str) -> int:
        """Write the complete lines, or drop them; keep the rest, return the length of *text*."""
        if not isinstance(text, str):
            raise TypeError(f"write() takes text, not {type(text).__name__}")
        self.attempt(lambda: super(ForgivingStream, self).write(text))
        return len(text)

    def flush(self) -> None:
        """Write what is kept, also an incomplete line, and flush the stream, or drop it."""
        self.attempt(self._flush)

    def write_rest(self) -> None:
        """Write an incomplete line that is kept, or drop it."""
        self.attempt(super().write_rest)

    def _flush(self) -> None:
        super().write_rest()
        if not self.stream.closed:
            self.stream.flush()

    def attempt(self, write: Callable[[], object]) -> None:
        """Call *write*, until it has failed once: then the failure is printed, and nothing is written any more."""
        if self._dropping:
            return
        try:
            write()
        except (OSError, ValueError) as exc:
            if isinstance(exc, ValueError) and not self.stream.closed:
                raise
            self._dropping, self._rest = True, ""
            why = getattr(exc, "strerror", None) or StandardStreamClosed(self._name).strerror
            text = f"chaperon: cannot print on standard {self._name}: {why}; what the scenario prints there is dropped"
            if not _is_first(self._name):
                return
            with suppress(OSError, ValueError):
                print_line(text, err=self._name == "output")


class _ForgivingBytes:
    """The binary stream of a forgiving stream; all other attributes are those of *stream*."""

    def __init__(self, stream: Any, attempt: Callable[[Callable[[], object]], None]) -> None:
        self._stream = stream
        self._attempt = attempt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, data: bytes) -> int:
        """Write *data*, or drop it; return its length."""
        self._attempt(lambda: self._stream.write(data))
        return len(data)

    def writelines(self, lines: Iterable[bytes]) -> None:
        """Write each of *lines* in turn."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the stream, or drop what it has buffered."""
        self._attempt(self._stream.flush)
