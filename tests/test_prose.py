"""The words of docstrings, comments, messages and documents: plain technical English."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

pytestmark = [pytest.mark.as_written, pytest.mark.long]

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = (
    "whoever", "somebody", "nobody", "whatever", "told", "heard", "let go", "lets go", "letting go",
    "so many", "all the same", "as ever", "lest", "to be had", "in the hands of", "as good as", "a word with",
    "farewell",
)  # fmt: skip
"""Words that make a sentence a riddle to a reader who knows the field's terms only."""
OFFENCE = re.compile(r"\b(?:" + "|".join(FORBIDDEN).replace(" ", r"\s+") + r")\b", re.IGNORECASE)
ALLOWED = re.compile(r"`[^`\n]*`|\*told\*|\btold=|closed, added all the same")
"""Code within prose: names of the public API are not prose, nor is the text of a note, which is a JSON key."""

_BETWEEN_LINES = re.compile(r"""(?:["'#\s]|\b[bfru]+(?=["']))+""")
"""What may stand between two words of one text in a source."""

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(path for folder in ("docs", "examples", "benchmarks", "deploy") for path in (ROOT / folder).rglob("*.md")),
]
SOURCES = sorted((ROOT / "chaperon").rglob("*.py"))
OTHERS = sorted(path for folder in ("tests", "examples", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
"""Modules whose docstrings and comments count, not the texts they work with."""


def offences(text, line=1):
    clean = ALLOWED.sub(lambda found: " " * len(found.group()), text)
    for found in OFFENCE.finditer(clean):
        yield line + clean.count("\n", 0, found.start()), found.group()


def prose_of(text):
    """Yield (line, text) of every comment, docstring and other string of a module; names of one word are left out."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def found_in(paths, parts_of):
    """Return where the prose of files has forbidden words; *parts_of* yields (line, text) of each part of a text."""
    found = []
    for path in paths:
        text = path.read_text()
        if OFFENCE.search(_BETWEEN_LINES.sub(" ", text)):  # few files need to be parsed
            parts = [each for line, part in parts_of(text) for each in offences(part, line)]
            found += [f"{path.relative_to(ROOT)}:{line}: {word!r}" for line, word in parts]
    return found


def test_the_code_is_written_in_plain_words():
    assert not found_in(SOURCES, prose_of)


def docstrings_of(text):
    """Yield (line, text) of every comment and docstring of a module."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            yield node.body[0].lineno, ast.get_docstring(node, clean=False)


def test_tests_and_examples_are_described_in_plain_words():
    assert not found_in(OTHERS, docstrings_of)


def test_the_documents_are_written_in_plain_words():
    assert not found_in(DOCUMENTS, lambda text: [(1, text)])
