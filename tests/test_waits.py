"""Tests wait for conditions; where a span itself is tested, they are marked `faults` or `alone`."""

import ast
import re
from pathlib import Path

import pytest
from waits import came, until

pytestmark = pytest.mark.as_written

HERE = Path(__file__).resolve().parent
UNDER_FAULTS = {"chaos.py", "partition.py"}
"""What only tests marked `faults` call, and programs of their own."""
FILES = sorted({path.name for path in HERE.glob("*.py")} - UNDER_FAULTS - {"waits.py"})
SLEEPS = {"gevent.sleep", "time.sleep", "blocking_sleep", "lasting"}
CALLED = re.compile(rf"\b(?:{'|'.join(map(re.escape, SLEEPS))})\(")


def marked(node):
    """Return whether a test, or all tests of a file, may run in real time."""
    marks = node.decorator_list if isinstance(node, ast.FunctionDef) else [n.value for n in of_file(node)]
    return any(f"pytest.mark.{name}" in ast.unparse(mark) for mark in marks for name in ("faults", "alone"))


def of_file(tree):
    return [n for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "pytestmark"]


def sleeps_of(node):
    """Yield the lines of calls that let real time pass; `sleep(0)`, which lets others run, is none."""
    if marked(node) if isinstance(node, ast.FunctionDef | ast.Module) else False:
        return
    if isinstance(node, ast.Call) and ast.unparse(node.func) in SLEEPS and ast.unparse(node.args[0]) != "0":
        yield node.lineno
    for each in ast.iter_child_nodes(node):
        yield from sleeps_of(each)


@pytest.mark.long
def test_real_time_passes_in_tests_marked_for_it_alone():
    sources = {name: (HERE / name).read_text() for name in FILES}
    trees = {name: ast.parse(source) for name, source in sources.items() if CALLED.search(source)}

    assert len(trees) > 5
    found = [f"{name}:{line}" for name, tree in trees.items() for line in sleeps_of(tree)]
    assert not found, "wait for a condition with waits.until, or use a VirtualClock"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("def test_x():\n    gevent.sleep(0.1)", [2]),
        ("def test_x():\n    def f():\n        time.sleep(n)\n    f()", [3]),
        ("@pytest.mark.faults\ndef test_x():\n    lasting(0.1)", []),
        ("pytestmark = [pytest.mark.faults]\ndef test_x():\n    lasting(0.1)", []),
        ("def test_x():\n    gevent.sleep(0)\n    clock.sleep(3)", []),
    ],
)
def test_the_rule_sees_a_sleep_wherever_it_is(code, found):
    assert list(sleeps_of(ast.parse(code))) == found


def test_a_condition_that_never_holds_ends_the_wait_with_what_is_known():
    assert not came(lambda: False, within=0.02)
    with pytest.raises(AssertionError, match="seen 3"):
        until(lambda: False, within=0.02, otherwise=lambda: "seen 3")
