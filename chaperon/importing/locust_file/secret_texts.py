"""Secrets that stand as texts in the functions of a locustfile: they become values of the session's config."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from chaperon.importing.locust_file.source_edits import SourceEdits
from chaperon.importing.python_code import flat
from chaperon.importing.secret_values import SecretValues
from chaperon.report.redaction.secret_names import names_a_secret


def hide_secret_texts(function: ast.FunctionDef, edits: SourceEdits, secrets: SecretValues) -> None:
    """Replace in *edits* each text under a name that denotes a secret, by the expression that *secrets* has for it.

    Names are those of keys in mappings, of keywords, and of attributes and variables that are assigned; of `auth=` it
    is the second of two texts.
    """
    for statement in function.body:
        for name, node, text in _named_texts(statement):
            value: Any = text
            if name.lower().endswith("authorization"):
                value = secrets.header(name, text)
            elif names_a_secret(name):
                value = secrets.secret(name, text)
            if value != text:
                edits.replace(edits.start(node), edits.end(node), flat(value))


def secret_constant(statement: ast.stmt) -> str:
    """Return the name of the variable if a statement assigns a text to one whose name denotes a secret, else ""."""
    found = [name for name, _, _ in _named_texts(statement) if names_a_secret(name)]
    return found[0] if isinstance(statement, (ast.Assign, ast.AnnAssign)) and found else ""


def _named_texts(node: ast.AST) -> Iterator[tuple[str, ast.expr, str]]:
    """Yield every text within *node* that has a name: the name, the expression, the text."""
    for each in ast.walk(node):
        match each:
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield from _text(key.value, value)
            case ast.keyword(arg="auth", value=ast.Tuple(elts=[_, password])):
                yield from _text("password", password)
            case ast.keyword(arg=str(name), value=value):
                yield from _text(name, value)
            case ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)], value=value):
                yield from _text(name, value)
            case ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name), value=ast.expr() as value):
                yield from _text(name, value)


def _text(name: str, value: ast.expr) -> Iterator[tuple[str, ast.expr, str]]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
        yield name, value, value.value
