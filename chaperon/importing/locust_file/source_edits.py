"""Edits of Python source at the places of syntax nodes: comments and layout of everything else stay."""

from __future__ import annotations

import ast


class SourceEdits:
    """Collects replacements in a text and applies them to a range of its lines."""

    def __init__(self, text: str) -> None:
        self._bytes = text.encode()
        self._lines = [0]
        for each in self._bytes.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(each))
        self._edits: dict[tuple[int, int], str] = {}
        self._shifts: dict[int, int] = {}

    def start(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        """Return the offset of the first byte of a node."""
        return self._lines[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        """Return the offset behind the last byte of a node."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._lines[node.end_lineno - 1] + node.end_col_offset

    def text(self, start: int, end: int) -> str:
        """Return the original text between two offsets."""
        return self._bytes[start:end].decode()

    def replace(self, start: int, end: int, text: str) -> None:
        """Replace the bytes between two offsets; of several insertions at one place the first comes first."""
        self._edits[start, end] = self._edits.get((start, end), "") + text

    def shift(self, first: int, last: int, columns: int) -> None:
        """Indent lines, counted from 1, by more *columns*, or by fewer if it is negative."""
        for line in range(first, last + 1):
            self._shifts[line] = self._shifts.get(line, 0) + columns

    def shifted(self, line: int) -> int:
        """Return by how many columns a line is shifted so far."""
        return self._shifts.get(line, 0)

    def lines(self, first: int, last: int, fixed: set[int]) -> str:
        """Return lines, counted from 1, with all edits and shifts; lines of *fixed* keep their indentation."""
        begin, stop = self._lines[first - 1], self._lines[min(last, len(self._lines) - 1)]
        edits = [(start, end, text) for (start, end), text in self._edits.items() if begin <= start and end <= stop]
        for line in range(first, last + 1):
            columns = 0 if line in fixed else self._shifts.get(line, 0)
            at = self._lines[line - 1]
            content = self._bytes[at : self._lines[line]]
            if not content.strip():
                continue
            if columns > 0:
                edits.append((at, at, " " * columns))
            elif columns < 0:
                present = len(content) - len(content.lstrip(b" "))
                edits.append((at, at + min(-columns, present), ""))
        made, last_end = [], begin
        for start, end, text in sorted(edits, key=lambda each: (each[0], each[1])):
            if start < last_end:  # within what an edit before has replaced
                continue
            made += [self._bytes[last_end:start].decode(), text]
            last_end = end
        return "".join(made) + self._bytes[last_end:stop].decode()


def inner_lines(node: ast.AST) -> set[int]:
    """Return the lines that begin within a text literal of *node*: their indentation is part of the text."""
    found: set[int] = set()
    for each in ast.walk(node):
        literal = isinstance(each, ast.JoinedStr) or (
            isinstance(each, ast.Constant) and isinstance(each.value, (str, bytes))
        )
        if literal and isinstance(each, ast.expr) and each.end_lineno is not None:
            found |= set(range(each.lineno + 1, each.end_lineno + 1))
    return found
