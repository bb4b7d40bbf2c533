"""A count is printed with its noun in the right number: "1 user", never "1 users"."""

import ast
import re
from pathlib import Path

import pytest

from chaperon import iterations, rate, users, users_per_second
from chaperon.measure.quantity import count_text
from chaperon.report.events.note_text import note_text

PACKAGE = Path(__file__).resolve().parent.parent / "chaperon"
NOUNS = (
    "arrivals|attempts|bytes|cells|characters|checks|connections|cores|deaths|errors|items|iterations|messages|percentiles|"
    "processes|requests|rows|samples|scenarios|seconds|sessions|stages|stairs|steps|tasks|users|visits|windows|workers"
)
COUNTED = re.compile(rf" (?:(?:further|more|lost|failed|header|interim|queued) )?(?:{NOUNS})\b(?!/)")
CONSTANT = re.compile(r"[A-Z_]{2,}")


def texts_of(tree):
    """Yield the f-strings of a module outside `__repr__`."""
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "__repr__"
        for inner in ast.walk(node)
    }
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) and id(node) not in hidden)


def miscounted(text):
    """Yield each part of an f-string that puts a figure before a plural; "3 of {n} visits" has no singular."""
    before = ""
    for value, after in zip(text.values, text.values[1:], strict=False):
        if (
            isinstance(value, ast.FormattedValue)
            and value.conversion == -1
            and isinstance(after, ast.Constant)
            and COUNTED.match(after.value)
        ):
            figure = ast.unparse(value.value)
            if not before.endswith("of ") and not CONSTANT.fullmatch(figure) and "count_text" not in figure:
                yield figure + after.value
        before = value.value if isinstance(value, ast.Constant) else ""


@pytest.mark.long
def test_every_count_in_a_message_has_a_singular():
    sources = {path: path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
    trees = {path: ast.parse(source) for path, source in sources.items() if COUNTED.search(source)}

    assert len(trees) > 20
    assert [(path, part) for path, tree in trees.items() for text in texts_of(tree) for part in miscounted(text)] == []


def test_the_rule_sees_a_figure_before_a_plural():
    code = "f\"{n} users, {count_text(n, 'user')} {n} in all, 3 of {n} visits, {LIMIT} visits\""

    assert [part for text in texts_of(ast.parse(code)) for part in miscounted(text)] == ["n users, "]


def test_a_count_has_its_noun_in_the_right_number():
    assert [count_text(n, "user") for n in (0, 1, 2, 1000)] == ["0 users", "1 user", "2 users", "1,000 users"]
    assert [count_text(n, "process", "processes") for n in (1, 2)] == ["1 process", "2 processes"]
    assert [count_text(n, "user") for n in (1.0, 1.5)] == ["1 user", "1.5 users"]


@pytest.mark.parametrize(
    ("load", "text"),
    [
        (users(1), "1 visit"),
        (users(2), "2 visits"),
        (iterations(1), "1 visit"),
        (rate(1, hold=1), "1 arrival, "),
        (users_per_second(1, hold=1), "1 user, 1 visit each"),
    ],
)
def test_a_load_of_one_is_described_in_the_singular(load, text):
    assert text in load.describe(seed="0")
    assert f"{text}s" not in load.describe(seed="0")


def test_a_run_of_one_user_says_one_user():
    assert f"{users(1)}, {iterations(1)}".startswith("1 user, ")
    assert "1 users" not in f"{users(1)} {iterations(1)} {users_per_second(1, hold=1)}"


def notes_of_the_reference():
    page = (PACKAGE.parent / "docs" / "reference.md").read_text()
    return re.findall(r"^- (.+)$", page.partition("<!-- notes -->")[2], re.M)


def test_each_note_has_its_noun_in_the_right_number():
    sentences = {"the run was stopped before its end: …", "…, dropped"}
    notes = [note for note in notes_of_the_reference() if note not in sentences]

    for note in notes:
        assert note_text(note, 2) == f"2 {note}"
        assert note_text(note, 1).startswith("1 ")
        assert note.startswith(("of ", "failure ")) or note_text(note, 1) != f"1 {note}"

    assert note_text("lost workers on users: visits", 1) == "1 lost worker on users: visits"
    assert note_text("deployed 1.2", 1) == "deployed 1.2"
    assert note_text("deployed 1.2", 2) == "2 × deployed 1.2"
