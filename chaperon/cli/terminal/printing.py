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

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 140
"""Columns of the table where the stream is no terminal."""
_reserved: list[TextIO] = []
"""The stream that is standard output while it is kept for `unfiltered_stdout`."""


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
    if _reserved:
        yield _reserved[-1]
        _reserved[-1].flush()
        return
    with printing() as stream:
        if isinstance(stream, CleanStream):
            stream.write_rest()
        unwrapped(stream).flush()
        yield unwrapped(stream)


@contextmanager
def stdout_reserved() -> Iterator[None]:
    """Keep standard output for `unfiltered_stdout` in the block.

    What else is printed there, by child processes too, goes to standard error.
    """
    before = sys.stdout
    before.flush()
    stream = unwrapped(before)
    kept = stream
    if _descriptor(stream) == 1:
        kept = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")  # as files
        os.dup2(2, 1)
    _reserved.append(kept)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = before
        _reserved.remove(kept)
        with suppress(OSError, ValueError):
            before.flush()
        if kept is not stream:
            os.dup2(kept.fileno(), 1)
            with suppress(OSError):  # raised where it was written
                kept.close()


def stdout_is_piped() -> bool:
    """Return whether standard output is a pipe or a socket: its reader, such as a pager, may use the terminal."""
    number = _descriptor(_reserved[-1] if _reserved else unwrapped(sys.stdout))
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
