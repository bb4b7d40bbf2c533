"""Standard streams, cleaned: secrets are masked and control characters escaped in everything printed."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TextIO

import click

from chaperon.report.redaction.one_line import one_line
from chaperon.report.redaction.redaction import Redactor

INDENT = "    "
"""Prefix of the lines of a text after its first, so that a text from a target cannot imitate a line of Chaperon."""
MAX_UNENDED = 65_536
"""Characters kept of a line without a line break; a longer one is printed at once."""

REDACT = Redactor()
"""Masks the secrets of this process."""


class Styled(NamedTuple):
    """A part of a line with a style for terminals."""

    text: str
    fg: str | None = None
    bold: bool | None = None


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
        rest, self._rest = self._rest, ""
        if rest:
            self.stream.write(clean_line(rest))
        self.stream.flush()


def clean_standard_streams() -> None:
    """Replace `sys.stdout` and `sys.stderr` by clean streams. Characters that the encoding lacks are escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or isinstance(stream, CleanStream):
            continue
        with suppress(AttributeError, ValueError, io.UnsupportedOperation):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, CleanStream(stream))


@contextmanager
def standard_streams_cleaned() -> Iterator[None]:
    """Clean what is printed in the block through the streams installed now; restore them at its end."""
    before = sys.stdout, sys.stderr
    clean_standard_streams()
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                with suppress(OSError, ValueError):
                    stream.flush()
        sys.stdout, sys.stderr = before


def hide(secrets: Iterable[str]) -> None:
    """Mask *secrets* in everything printed from now on."""
    REDACT.add(secrets)


def clean_line(text: str) -> str:
    """Return *text* as one line: secrets masked, control characters and line breaks escaped, tabs kept."""
    masked = REDACT(text)
    return "\t".join(map(one_line, masked.split("\t"))) if "\t" in masked else one_line(masked)


def clean_lines(text: str) -> str:
    """Return *text* as clean lines, all but the first indented."""
    first, *more = text.split("\n")
    return "\n".join([clean_line(first), *(INDENT * bool(line) + clean_line(line) for line in more)])


def unwrapped(stream: TextIO) -> TextIO:
    """Return the stream that a clean stream wraps, to print text that is clean already and has styles."""
    return stream.stream if isinstance(stream, CleanStream) else stream


def print_line(*parts: str | Styled, err: bool = False) -> None:
    """Print one clean line on standard output, with *err* on standard error. Raises OSError.

    Line breaks in it are escaped. Does nothing if the process has no such stream.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is None:
        return
    line = "".join(_part(part) for part in parts)
    if isinstance(stream, CleanStream):
        stream.flush()  # an incomplete line written before must be printed before
    click.echo(line, file=unwrapped(stream))


def print_notice(text: str) -> None:
    """Print one line on standard error; raises OSError."""
    print_line(text, err=True)


def print_warning(text: str) -> None:
    """Print a warning on standard error."""
    print_line(f"chaperon: {text}", err=True)


def print_error(text: str, *, lines: bool = False) -> None:
    """Print why a command failed on standard error: on one line, or with *lines* on as many as *text* has."""
    first, *more = text.split("\n") if lines else [text]
    print_line(f"chaperon: {first}", err=True)
    for line in more:
        print_line(line, err=True)


def discard_stdout() -> None:
    """Discard what is still buffered: otherwise the interpreter reports an error of standard output at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _part(part: str | Styled) -> str:
    if isinstance(part, Styled):
        return click.style(clean_line(part.text), fg=part.fg, bold=part.bold)
    return clean_line(part)
