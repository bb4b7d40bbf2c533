"""Printing a result on standard output, or on standard error where another output has standard output for itself."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from chaperon.cli.terminal.clean_stream import CleanStream, unwrapped
from chaperon.cli.terminal.closed_stream import is_closed
from chaperon.cli.terminal.standard_streams import discard_stdout
from chaperon.errors import StandardStreamClosed
from chaperon.report.output_parts.output_file import MOVED_DESCRIPTORS

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 140
"""Columns of the table where the stream is no terminal."""
STDOUT, STDERR = 1, 2
"""The descriptors of standard output and standard error."""
_reserved: dict[int, TextIO] = {}
"""The streams that are kept for an output, by descriptor."""


@contextmanager
def printing(*, err: bool = False) -> Iterator[TextIO]:
    """Yield standard output, or standard error, and flush it at the end. Raises OSError.

    After an error, what standard output has buffered is discarded.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is None or is_closed(stream):
        raise StandardStreamClosed("error" if err else "output")
    try:
        yield stream
        if isinstance(stream, CleanStream):
            stream.write_rest()
        unwrapped(stream).flush()
    except BrokenPipeError:
        raise
    except OSError:
        if not err:
            discard_stdout()
        raise


@contextmanager
def unfiltered_stdout() -> Iterator[TextIO]:
    """Yield standard output for text that holds no secret and is for a program, not for a terminal. Raises OSError."""
    if (kept := _reserved.get(STDOUT)) is not None:
        yield kept
        kept.flush()
        return
    with printing() as stream:
        if isinstance(stream, CleanStream):
            stream.write_rest()
        unwrapped(stream).flush()
        yield unwrapped(stream)


@contextmanager
def stream_reserved(number: int) -> Iterator[None]:
    """Keep standard output (1) or standard error (2) for an output in the block. Raises StandardStreamClosed.

    What else is printed there, by child processes too, goes to the other one. The output writes to `unfiltered_stdout`,
    or to a path that names the descriptor, such as /dev/stderr.
    """
    name, other, other_number = ("stdout", "stderr", STDERR) if number == STDOUT else ("stderr", "stdout", STDOUT)
    before = getattr(sys, name)
    if is_closed(before):
        raise StandardStreamClosed("output" if number == STDOUT else "error")
    before.flush()
    stream = unwrapped(before)
    kept = stream
    if _descriptor(stream) == number:
        kept = os.fdopen(os.dup(number), "w", encoding="utf-8", errors="backslashreplace")  # as files
        os.dup2(other_number, number)
        MOVED_DESCRIPTORS[number] = kept.fileno()
    _reserved[number] = kept
    setattr(sys, name, getattr(sys, other))
    try:
        yield
    finally:
        setattr(sys, name, before)
        del _reserved[number]
        with suppress(OSError, ValueError):
            before.flush()
        if kept is not stream:
            del MOVED_DESCRIPTORS[number]
            os.dup2(kept.fileno(), number)
            with suppress(OSError):  # raised where it was written
                kept.close()


def stdout_is_reserved() -> bool:
    """Return whether an output has standard output for itself, so that all else goes to standard error."""
    return STDOUT in _reserved


def stdout_is_piped() -> bool:
    """Return whether standard output is a pipe or a socket: its reader, such as a pager, may use the terminal."""
    number = _descriptor(_reserved.get(STDOUT) or unwrapped(sys.stdout))
    if number is None:
        return False
    try:
        mode = os.fstat(number).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _descriptor(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


@contextmanager
def table_console(*, err: bool = False) -> Iterator[Console]:
    """Yield a console for tables on standard output, or on standard error. Raises OSError."""
    from chaperon.cli.terminal.console import CleanConsole  # late: --version and --help need no tables

    with printing(err=err) as stream:
        yield CleanConsole(stream, width=None if stream.isatty() else PIPE_WIDTH)
