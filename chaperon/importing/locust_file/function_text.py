"""The text of a function of a locustfile, after its edits."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from chaperon.importing.locust_file.classes import LocustClass
from chaperon.importing.locust_file.source_edits import SourceEdits, inner_lines


def body_text(edits: SourceEdits, function: ast.FunctionDef, source_lines: Sequence[str], indent: int = 4) -> str:
    """Return the body of a function, rewritten, indented by *indent* spaces, with the comments above its first line."""
    first = function.body[0]
    assert function.end_lineno is not None
    if first.lineno == function.lineno:
        start = edits.start(first)
        columns = start - edits.start(function) + function.col_offset
        return " " * indent + edits.lines(first.lineno, function.end_lineno, set())[columns:]
    begin = first.lineno
    while begin - 1 > function.lineno and source_lines[begin - 2].strip().startswith("#"):
        begin -= 1
    fixed = inner_lines(function)
    edits.shift(begin, function.end_lineno, indent - first.col_offset)
    return edits.lines(begin, function.end_lineno, fixed)


def own_methods(owner: LocustClass) -> dict[str, ast.FunctionDef]:
    """Return the methods of a class and of the classes around it, which `self.user` and `self.parent` lead to."""
    found: dict[str, ast.FunctionDef] = {}
    each: LocustClass | None = owner
    while each is not None:
        found = {**each.methods, **found}
        each = each.outer
    return found
