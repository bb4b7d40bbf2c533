"""A stream that cleans what is printed: secrets are masked and control characters escaped."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

from chaperon.cli.terminal.clean_text import INDENT, REDACT, clean_line
from chaperon.cli.terminal.closed_stream import ClosedStream

MAX_UNENDED = 65_536
"""Characters kept of a line without a line break; a longer one is printed at once."""


class CleanStream:
    """A text stream that masks secrets and escapes control characters, then writes to *stream* line by line.

    It replaces `sys.stdout` and `sys.stderr`, so that output of scenarios, warnings of libraries and
    tracebacks are cleaned too. An incomplete line is kept until its line break or `flush`. All
    other attributes are those of *stream*.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._rest = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write the complete lines, keep the rest, return the length of *text*. Raises OSError as the stream does."""
        if not isinstance(text, str):
            raise TypeError(f"write() takes text, not {type(text).__name__}")
        self._rest += text
        if "\n" not in text and len(self._rest) <= MAX_UNENDED:
            return len(text)
        # as a whole, before it becomes lines: a secret may be wrapped
        complete, end, rest = REDACT.hide_known(self._rest, goes_on=True).rpartition("\n")
        first, *more = REDACT(complete).split("\n")
        lines = [first, *(INDENT * bool(line) + line for line in more)] if end else []
        self._rest = (INDENT if end and rest else "") + rest
        if len(self._rest) > MAX_UNENDED:
            kept = len(self._rest) - min(REDACT.longest, MAX_UNENDED // 2)  # its end may be the beginning of a secret
            lines, self._rest = [*lines, self._rest[:kept]], self._rest[kept:]
        if lines:
            self.stream.write("".join(f"{clean_line(line)}\n" for line in lines))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each text in turn."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what is kept, also an incomplete line, and flush the stream."""
        self.write_rest()
        self.stream.flush()

    def write_rest(self) -> None:
        """Write an incomplete line that is kept."""
        rest, self._rest = self._rest, ""
        if rest:
            self.stream.write(clean_line(rest))


def unwrapped(stream: TextIO) -> TextIO:
    """Return the stream that a clean stream wraps, to print text that is clean already and has styles."""
    return stream.stream if isinstance(stream, CleanStream) else stream


def clean_stream(*, err: bool) -> TextIO:
    """Return a clean stream of standard output, or standard error, that raises OSError as the stream does."""
    stream = sys.stderr if err else sys.stdout
    below = ClosedStream("error" if err else "output") if stream is None else unwrapped(stream)
    return cast(TextIO, CleanStream(below))
