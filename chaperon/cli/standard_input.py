"""A scenario file from standard input, kept in a temporary folder until the process ends."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from pathlib import Path

from chaperon.errors import LoadError, UsageError

NAME = "-"
"""What stands for standard input in place of a file."""

LARGEST = 16 << 20
"""Bytes of the largest file."""


def scenario_path(target: str) -> str:
    """Return *target*, or for "-" the path of a file that holds what standard input has. Raises LoadError, UsageError.

    Blocks until the input ends. Modules and data files are looked for in the working directory.
    """
    if target != NAME:
        return target
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("- reads the scenario from standard input: write it there, as in  chaperon local - < shop.py")
    content = sys.stdin.buffer.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise LoadError(f"the scenario on standard input is larger than {LARGEST >> 20} MiB")
    if not content.strip():
        raise LoadError("there is no scenario on standard input: it is empty")
    folder = tempfile.mkdtemp(prefix="chaperon-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder, "scenario.py")
    path.write_bytes(content)
    return str(path)
