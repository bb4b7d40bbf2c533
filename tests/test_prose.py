"""The words of docstrings, comments, messages and documents: plain technical English."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

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


def prose_of(path):
    """Yield (line, text) of every comment, docstring and other string of a module; names of one word are left out."""
    text = path.read_text()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_the_code_is_written_in_plain_words(path):
    found = [f"{name_of(path)}:{at}: {word!r}" for line, text in prose_of(path) for at, word in offences(text, line)]

    assert not found


def docstrings_of(path):
    """Yield (line, text) of every comment and docstring of a module."""
    text = path.read_text()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            yield node.body[0].lineno, ast.get_docstring(node, clean=False)


@pytest.mark.parametrize("path", OTHERS, ids=name_of)
def test_tests_and_examples_are_described_in_plain_words(path):
    found = [
        f"{name_of(path)}:{at}: {word!r}" for line, text in docstrings_of(path) for at, word in offences(text, line)
    ]

    assert not found


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_the_documents_are_written_in_plain_words(path):
    assert not [f"{name_of(path)}:{at}: {word!r}" for at, word in offences(path.read_text())]
