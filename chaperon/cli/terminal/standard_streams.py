"""Standard output and standard error of this process, replaced by clean streams."""

from __future__ import annotations

import fcntl
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO, cast

from chaperon.cli.terminal.ascii_signs import SPELLED
from chaperon.cli.terminal.clean_stream import CleanStream, unwrapped
from chaperon.cli.terminal.closed_stream import ClosedStream, is_closed
from chaperon.cli.terminal.forgiving_stream import ForgivingStream


def clean_standard_streams() -> None:
    """Replace `sys.stdout` and `sys.stderr` by clean streams. Characters that the encoding lacks are `spelled`.

    A stream that the process was started without becomes a closed one, its descriptor that of the null device: no
    file that is opened later gets it.
    """
    for descriptor, name in ((1, "output"), (2, "error")):
        attribute = f"std{name[:3]}"
        stream = getattr(sys, attribute)
        if isinstance(stream, CleanStream):
            continue
        if stream is None or _only_readable(stream):
            stream = ClosedStream(name)
            _occupy(descriptor)
        with suppress(AttributeError, ValueError, io.UnsupportedOperation):
            stream.reconfigure(errors=SPELLED)
        setattr(sys, attribute, ForgivingStream(stream, name))


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


def print_line_by_line() -> None:
    """Pass each line on once it is printed, also into a pipe: the process that reads it shows it during the run."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):
            cast(io.TextIOWrapper, unwrapped(stream)).reconfigure(line_buffering=True)


def discard_stdout() -> None:
    """Discard what is still buffered: otherwise the interpreter reports an error of standard output at its exit."""
    if is_closed(sys.stdout):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _only_readable(stream: TextIO) -> bool:
    try:
        return fcntl.fcntl(stream.fileno(), fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    except (OSError, ValueError, AttributeError):
        return False


def _occupy(descriptor: int) -> None:
    """Open the null device as *descriptor*, if that is free."""
    try:
        os.fstat(descriptor)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != descriptor:
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
