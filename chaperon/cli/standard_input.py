"""A scenario file from standard input, kept in a temporary folder until the process ends."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from pathlib import Path

from chaperon.cli.option_groups import STANDARD_INPUT
from chaperon.errors import LoadError, UsageError

NAMES = ("-", STANDARD_INPUT)
"""What stands for standard input in place of a file."""

FILE = "scenario.py"
LARGEST = 16 << 20
"""Bytes of the largest file."""

_FILES: set[str] = set()


def scenario_path(target: str) -> str:
    """Return *target*, FILE[:NAME]; for the file "-" that of a file with what standard input has.

    Blocks until the input ends. Modules and data files are looked for in the working directory. Raises LoadError,
    UsageError.
    """
    file, colon, name = target.partition(":")
    if file not in NAMES:
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
    path = Path(folder, FILE)
    path.write_bytes(content)
    _FILES.add(str(path))
    return f"{path}{colon}{name}"


def as_typed(message: str, target: str) -> str:
    """Return an error message about *target* with "-:NAME" in place of the path that `scenario_path` returned."""
    file = target.partition(":")[0]
    return message.replace(f"as in {file}:", "as in -:") if file in _FILES else message
