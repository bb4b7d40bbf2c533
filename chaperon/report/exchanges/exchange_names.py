"""The names of the files of exchanges: safe in every file system, unique, the same in every run."""

from __future__ import annotations

import hashlib
import os
import re

from chaperon.measure.exchange import ErrorPlace
from chaperon.report.redaction.redaction import redacted
from chaperon.report.report import ErrorRow

FILE_NAME = re.compile(r"[A-Za-z0-9._-]{1,45}-[0-9a-f]{10}-\d{1,3}\.txt")
"""The form of such a name."""
SERIES, ERROR = 24, 20
"""Maximum number of characters that a name has of its series, and of its error class."""
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


def exchange_names(row: ErrorRow) -> list[str]:
    """Return the file names of the exchanges of *row*, in their order."""
    return file_names((row.scenario, row.series, row.error), len(row.exchanges))


def file_names(where: ErrorPlace, exchanges: int) -> list[str]:
    """Return the file names of *exchanges* of a class of errors, such as "GET_cart-HTTP_500-0f3a99c1d2-1.txt".

    The hash is of scenario, series and error class without secrets, so that a class has the same names in each run,
    and two classes never have one, also where a file system ignores case.
    """
    place = [redacted(text) for text in where]
    digest = hashlib.sha256("\0".join(place).encode(errors="backslashreplace")).hexdigest()[:10]
    start = f"{_safe(place[1], SERIES) or 'series'}-{_safe(place[2], ERROR) or 'error'}"
    return [f"{start}-{digest}-{number}.txt" for number in range(1, exchanges + 1)]


def exchange_paths(folder: str, row: ErrorRow) -> list[str]:
    """Return the paths of the files in *folder*, in the order of the exchanges; none where *folder* is ""."""
    return [os.path.join(folder, name) for name in exchange_names(row)] if folder else []


def _safe(text: str, most: int) -> str:
    return _UNSAFE.sub("_", text)[:most].strip("._-")
