"""Printing clean lines on standard output and standard error."""

from __future__ import annotations

import sys
from typing import NamedTuple

import click

from chaperon.cli.terminal.clean_stream import CleanStream, unwrapped
from chaperon.cli.terminal.clean_text import clean_line
from chaperon.cli.terminal.closed_stream import ClosedStream, is_closed


class Styled(NamedTuple):
    """A part of a line with a style for terminals."""

    text: str
    fg: str | None = None
    bold: bool | None = None


def print_line(*parts: str | Styled, err: bool = False) -> None:
    """Print one clean line on standard output, with *err* on standard error. Raises OSError.

    Line breaks in it are escaped. Does nothing if the process has no standard error.
    """
    stream = sys.stderr if err else sys.stdout
    if err and is_closed(stream):
        return
    if stream is None:
        stream = ClosedStream("output")
    line = "".join(_part(part) for part in parts)
    if isinstance(stream, CleanStream):
        stream.write_rest()  # must be printed before
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


def _part(part: str | Styled) -> str:
    if isinstance(part, Styled):
        return click.style(clean_line(part.text), fg=part.fg, bold=part.bold)
    return clean_line(part)
