"""The pipe from a supervisor to its engine: one line with the key; it is closed when the supervisor ends."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import IO

MAX_LINE = 1_000


def write_key_line(pipe: IO[bytes], line: str) -> None:
    """Write the line of a key, or an empty one, to the standard input of an engine just started.

    It does not block: a pipe holds more than that. An engine that is gone by then gets nothing.
    """
    with suppress(BrokenPipeError):
        os.write(pipe.fileno(), f"{line}\n".encode("ascii"))


def read_key_line(fd: int = 0) -> str:
    """Return the line that the supervisor wrote; empty without a key, or where the supervisor is gone.

    Blocks until the line is there.
    """
    line = b""
    while not line.endswith(b"\n") and len(line) < MAX_LINE:
        more = os.read(fd, 1)  # not one byte beyond the line
        if not more:
            return ""
        line += more
    return line.decode("ascii").strip()
