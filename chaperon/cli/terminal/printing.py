"""Printing a result on standard output, or on standard error where another output has standard output for itself."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from chaperon.cli.terminal.streams import CleanStream, discard_stdout, is_closed, unwrapped

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 140
"""Columns of the table where the stream is no terminal."""


@contextmanager
def printing(*, err: bool = False) -> Iterator[TextIO]:
    """Yield standard output, or standard error, and flush it at the end. Raises OSError.

    After an error, what standard output has buffered is discarded.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is None or is_closed(stream):
        raise OSError(errno.EBADF, f"standard {'error' if err else 'output'} is closed")
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
    with printing() as stream:
        if isinstance(stream, CleanStream):
            stream.write_rest()
        unwrapped(stream).flush()
        yield unwrapped(stream)


@contextmanager
def table_console(*, err: bool = False) -> Iterator[Console]:
    """Yield a console for tables on standard output, or on standard error. Raises OSError."""
    from chaperon.cli.terminal.console import CleanConsole  # late: --version and --help need no tables

    with printing(err=err) as stream:
        yield CleanConsole(stream, width=None if stream.isatty() else PIPE_WIDTH)
