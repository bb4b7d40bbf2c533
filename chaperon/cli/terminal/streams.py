"""Standard streams: everything printed goes out by one door."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TextIO

import click

from chaperon.report.redaction.redaction import Redactor, one_line

INDENT = "    "
"""Before what follows a line break within one text: it cannot pass for a line of ours."""
MAX_UNENDED = 65_536
"""Characters of a line that has not ended, after which they are printed without waiting for its end."""

REDACT = Redactor()
"""Knows the secrets of this process."""


class Styled(NamedTuple):
    """A part of a line with a colour, on a terminal."""

    text: str
    fg: str | None = None
    bold: bool | None = None


class CleanStream:
    """A text stream that prints whole lines on *stream*, without secrets, without what steers a terminal.

    It stands in the place of `sys.stdout` and `sys.stderr`, so that what a scenario prints, a
    library warns of or a traceback shows is cleaned too. A line that is not at its end waits
    for it, or for `flush`. Everything else is the stream's own.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._rest = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Print the lines that are whole; raises OSError as the stream does."""
        if not isinstance(text, str):
            raise TypeError(f"write() takes text, not {type(text).__name__}")
        first, *more = text.split("\n")
        *lines, self._rest = [self._rest + first, *(INDENT * bool(line) + line for line in more)]
        if len(self._rest) > MAX_UNENDED:
            lines, self._rest = [*lines, self._rest], ""
        if lines:
            self.stream.write("".join(f"{clean_line(line)}\n" for line in lines))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Print many texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Print what is there, a line that is not at its end as well."""
        rest, self._rest = self._rest, ""
        if rest:
            self.stream.write(clean_line(rest))
        self.stream.flush()


def clean_standard_streams() -> None:
    """Let everything that is printed pass the door; what an encoding lacks is printed as its escape."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or isinstance(stream, CleanStream):
            continue
        with suppress(AttributeError, ValueError, io.UnsupportedOperation):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, CleanStream(stream))


@contextmanager
def standard_streams_cleaned() -> Iterator[None]:
    """Clean everything that is printed in the block, also where the streams are replaced within it."""
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
    """Print none of these from now on."""
    REDACT.add(secrets)


def clean_line(text: str) -> str:
    """Return *text* as a line that may be printed; tabs stay."""
    masked = REDACT(text)
    return "\t".join(map(one_line, masked.split("\t"))) if "\t" in masked else one_line(masked)


def clean_lines(text: str) -> str:
    """Return *text* as lines that may be printed, all but the first indented."""
    first, *more = text.split("\n")
    return "\n".join([clean_line(first), *(INDENT * bool(line) + clean_line(line) for line in more)])


def unwrapped(stream: TextIO) -> TextIO:
    """Return the stream behind the door, for what is clean already and has colours."""
    return stream.stream if isinstance(stream, CleanStream) else stream


def print_line(*parts: str | Styled, err: bool = False) -> None:
    """Print one line on standard output, or on standard error; raises OSError.

    Line breaks in it are escaped. Nothing is printed where the stream is closed.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is None:
        return
    line = "".join(_part(part) for part in parts)
    if isinstance(stream, CleanStream):
        stream.flush()  # what came before is not to come after
    click.echo(line, file=unwrapped(stream))


def print_notice(text: str) -> None:
    """Print one line on standard error; raises OSError."""
    print_line(text, err=True)


def print_warning(text: str) -> None:
    """Print what a person should know before the run, on standard error."""
    print_line(f"chaperon: {text}", err=True)


def print_error(text: str, *, lines: bool = False) -> None:
    """Print why a command failed, on standard error, as one line, or as the *lines* it has."""
    first, *more = text.split("\n") if lines else [text]
    print_line(f"chaperon: {first}", err=True)
    for line in more:
        print_line(line, err=True)


def discard_stdout() -> None:
    """Send what is still buffered nowhere: else the interpreter complains of it at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class StderrHandler(logging.Handler):
    """Log records on the standard error of the moment: the progress line moves aside for them."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record as one line, what a traceback adds to it indented details."""
        try:
            trace, record.exc_info, record.exc_text = record.exc_info, None, None
            stack, record.stack_info = record.stack_info, None
            message = self.format(record)
            record.exc_info, record.stack_info = trace, stack
            print_line(message, err=True)
            details = logging.Formatter().formatException(trace) if trace else ""
            for line in f"{details}\n{stack or ''}".split("\n"):
                if line:
                    print_line(INDENT, line, err=True)
        except Exception:
            self.handleError(record)


def _part(part: str | Styled) -> str:
    if isinstance(part, Styled):
        return click.style(clean_line(part.text), fg=part.fg, bold=part.bold)
    return clean_line(part)
