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
LONGEST = 65_536
"""Characters of a line that has not ended, after which they are printed without waiting for its end."""

REDACT = Redactor()
"""Knows the secrets of this process."""


class Styled(NamedTuple):
    """A part of a line with a colour, on a terminal."""

    text: str
    fg: str | None = None
    bold: bool | None = None


class Door:
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
        if len(self._rest) > LONGEST:
            lines, self._rest = [*lines, self._rest], ""
        if lines:
            self.stream.write("".join(f"{shown(line)}\n" for line in lines))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Print many texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Print what is there, a line that is not at its end as well."""
        rest, self._rest = self._rest, ""
        if rest:
            self.stream.write(shown(rest))
        self.stream.flush()


def open_doors() -> None:
    """Let everything that is printed pass the door; what an encoding lacks is printed as its escape."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or isinstance(stream, Door):
            continue
        with suppress(AttributeError, ValueError, io.UnsupportedOperation):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Door(stream))


@contextmanager
def doors_open() -> Iterator[None]:
    """Clean everything that is printed in the block, also where the streams are replaced within it."""
    before = sys.stdout, sys.stderr
    open_doors()
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


def shown(text: str) -> str:
    """Return *text* as a line that may be printed; tabs stay."""
    hidden = REDACT(text)
    return "\t".join(map(one_line, hidden.split("\t"))) if "\t" in hidden else one_line(hidden)


def shown_lines(text: str) -> str:
    """Return *text* as lines that may be printed, all but the first indented."""
    first, *more = text.split("\n")
    return "\n".join([shown(first), *(INDENT * bool(line) + shown(line) for line in more)])


def behind(stream: TextIO) -> TextIO:
    """Return the stream behind the door, for what is clean already and has colours."""
    return stream.stream if isinstance(stream, Door) else stream


def say(*parts: str | Styled, err: bool = False) -> None:
    """Print one line on standard output, or on standard error; raises OSError.

    Line breaks in it are escaped. Nothing is printed where the stream is closed.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is None:
        return
    line = "".join(_part(part) for part in parts)
    if isinstance(stream, Door):
        stream.flush()  # what came before is not to come after
    click.echo(line, file=behind(stream))


def warn(text: str) -> None:
    """Print what a person should know before the run, on standard error."""
    say(f"chaperon: {text}", err=True)


def say_fault(text: str, *, lines: bool = False) -> None:
    """Print why a command failed, on standard error, as one line, or as the *lines* it has."""
    first, *more = text.split("\n") if lines else [text]
    say(f"chaperon: {first}", err=True)
    for line in more:
        say(line, err=True)


def give_up_stdout() -> None:
    """Send what is still buffered nowhere: else the interpreter complains of it at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class StderrHandler(logging.Handler):
    """Log records on the standard error of the moment: the progress line moves aside for them."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record as one line, what a traceback adds to it indented beneath."""
        try:
            trace, record.exc_info, record.exc_text = record.exc_info, None, None
            stack, record.stack_info = record.stack_info, None
            message = self.format(record)
            record.exc_info, record.stack_info = trace, stack
            say(message, err=True)
            beneath = logging.Formatter().formatException(trace) if trace else ""
            for line in f"{beneath}\n{stack or ''}".split("\n"):
                if line:
                    say(INDENT, line, err=True)
        except Exception:
            self.handleError(record)


def _part(part: str | Styled) -> str:
    if isinstance(part, Styled):
        return click.style(shown(part.text), fg=part.fg, bold=part.bold)
    return shown(part)
