"""Rows of test data from files: CSV with any delimiter and encoding, JSON Lines, JSON."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaperon.errors import LoadError
from chaperon.measure.plain_text import excerpt
from chaperon.measure.quantity import count_text

TABLES = {".csv": None, ".tsv": "\t", ".tab": "\t", ".psv": "|"}
"""File suffix of a table to its delimiter; None: recognised from the first lines."""
DELIMITERS = ",;\t|"
"""Delimiters that are recognised; any other is given as delimiter=."""
LOOKED_AT = 20
"""Number of lines after the header that are read to recognise the delimiter."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEP = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")


def read_rows(path: Path, *, delimiter: str | None = None, encoding: str | None = None) -> list[Any]:
    """Return the rows of a file: dicts of text from a table, values as they are from .jsonl, .ndjson, .json.

    *delimiter* and *encoding* are recognised where they are None: the delimiter by the file's first
    lines, the encoding by its byte order mark, else UTF-8, else Windows-1252 with a warning.
    Raises LoadError, which names the line.
    """
    kind = path.suffix.lower()
    if kind not in (*TABLES, ".jsonl", ".ndjson", ".json"):
        raise LoadError(f"{path} is no feed: its name must end in {', '.join(TABLES)}, .jsonl, .ndjson or .json")
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '\r\n"'):
        raise LoadError(f"delimiter= must be one character, got {delimiter!r}")
    text = _text(path, encoding)
    if kind in TABLES:
        return _table(path, text, delimiter or TABLES[kind])
    if kind == ".json":
        rows = _json(path, text, 1)
        if isinstance(rows, list):
            return rows
        raise LoadError(f"{path} must hold a list of rows, not {type(rows).__name__}")
    lines = re.split(r"\r\n|\n|\r", text)  # str.splitlines would also split at U+2028, which JSON allows in text
    return [_json(path, line, n) for n, line in enumerate(lines, 1) if line.strip()]


def _text(path: Path, encoding: str | None) -> str:
    try:
        data = path.read_bytes()
        if encoding is not None:
            return data.decode(encoding).removeprefix("\ufeff")
    except (OSError, UnicodeError, LookupError) as exc:
        raise LoadError(f"cannot read {path}: {exc}") from exc
    marked = next((name for mark, name in _BOMS if data.startswith(mark)), None)
    found = marked or _unmarked(data)
    try:
        text = data.decode(found)
    except UnicodeError as exc:
        if marked is None and _printable(data):
            warnings.warn(f"{path} is not UTF-8: read as Windows-1252; give encoding= if it is another", stacklevel=4)
            return data.decode("cp1252")
        at = data.count(b"\n", 0, getattr(exc, "start", 0)) + 1
        raise LoadError(f"cannot read {path}, line {at}: {exc}; give encoding=, such as 'latin-1'") from exc
    return text.removeprefix("\ufeff")


def _unmarked(data: bytes) -> str:
    """Return the encoding of text without a byte order mark: UTF-16 shows zeros in every second byte."""
    start = data[:2_000]
    if start.count(0) > len(start) // 4:
        return "utf-16-le" if start[1::2].count(0) > start[0::2].count(0) else "utf-16-be"
    return "utf-8"


def _printable(data: bytes) -> bool:
    """Return whether bytes can be Windows-1252 text: every byte assigned, no control characters but white space."""
    try:
        text = data.decode("cp1252")
    except UnicodeError:
        return False
    return not re.search(r"[\0-\x08\x0e-\x1f]", text)


def _table(path: Path, text: str, delimiter: str | None) -> list[Any]:
    said = _SEP.match(text)  # Excel's own way of naming the delimiter
    if said:
        text, delimiter = text[said.end() :], delimiter or said[1]
    delimiter = delimiter or _delimiter_of(text)
    first = 2 if said else 1
    with _cells_of_any_length():
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            header: list[str] = []
            rows: list[Any] = []
            for cells in lines:
                at = lines.line_num + first - 1
                if _blank(cells):
                    continue
                if not header:
                    header = _header(path, at, cells, delimiter)
                elif len(cells) != len(header):
                    raise LoadError(
                        f"{path}, line {at}: {count_text(len(cells), 'cell')} "
                        f"under {count_text(len(header), 'column')}: {excerpt(cells, 80)}"
                    )
                else:
                    rows.append(dict(zip(header, cells, strict=True)))
        except csv.Error as exc:
            raise LoadError(f"{path}, line {lines.line_num + first - 1}: {exc}") from exc
    return rows


def _header(path: Path, at: int, cells: Sequence[str], delimiter: str) -> list[str]:
    """Return the names of the columns. Raises LoadError where they cannot be names."""
    names = [cell.strip() for cell in cells]
    wrong = ""
    if "" in names:
        wrong = f"column {names.index('') + 1} has no name"
    elif len(set(names)) < len(names):
        wrong = f"two columns have one name, {next(name for name in names if names.count(name) > 1)!r}"
    elif all(_NUMBER.fullmatch(name) for name in names):
        wrong = "numbers stand where the names of the columns must be: add a line of names above"
    elif other := next((d for d in DELIMITERS if d != delimiter and len(names) == 1 and d in names[0]), None):
        wrong = f"there is one column only: give delimiter={other!r} if that stands between cells"
    if wrong:
        raise LoadError(f"{path}, line {at}: {wrong}; this line must name the columns: {excerpt(list(cells), 120)}")
    return names


def _delimiter_of(text: str) -> str:
    """Return the delimiter that splits the header, and the lines after it into as many cells."""
    best, most = ",", (0, 0)
    for candidate in DELIMITERS:
        widths = []
        try:
            for cells in csv.reader(io.StringIO(text, newline=""), delimiter=candidate):
                if not _blank(cells):
                    widths.append(len(cells))
                if len(widths) > LOOKED_AT:
                    break
        except csv.Error:
            continue
        if widths and widths[0] > 1:
            alike = sum(width == widths[0] for width in widths) * 100 // len(widths)
            if (alike, widths[0]) > most:
                best, most = candidate, (alike, widths[0])
    return best


def _blank(cells: Sequence[str]) -> bool:
    return not cells or (len(cells) == 1 and not cells[0].strip())


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    """Lift the limit of `csv` on the length of a cell; the limit is global to the process."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _json(path: Path, text: str, line: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as exc:
        raise LoadError(f"{path}, line {line}: not JSON: {exc}") from exc
