"""Instructions of a visit, counted under valgrind, do not drift beyond what is written down."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.instructions import COUNTED, FILE, built_by, count, drifted, unmeasurable

WRITTEN = json.loads((Path(__file__).parent.parent / FILE).read_text())


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        pytest.param({"get": 1_050}, 0, id="as much as may be"),
        pytest.param({"get": 1_051}, 1, id="one more"),
        pytest.param({"get": 500}, 0, id="fewer"),
        pytest.param({"get": 1_000, "new": 1}, 1, id="never written down"),
    ],
)
def test_more_instructions_than_written_down_are_named(found, lines):
    seen = drifted(found, {"get": 1_000})

    assert len(seen) == lines


def test_each_case_is_written_down():
    assert set(WRITTEN["instructions"]) == set(COUNTED)


@pytest.mark.speed
@pytest.mark.processes
@pytest.mark.timeout(400)
def test_a_visit_takes_no_more_instructions_than_written_down():
    if find_spec("chaperon.visit__mypyc") is None:
        pytest.skip("Chaperon is not compiled: python setup.py build_ext --inplace")
    if unmeasurable():
        pytest.skip(unmeasurable())
    if built_by() != WRITTEN["built_by"]:
        pytest.skip(f"the figures written down are of {WRITTEN['built_by']}, this is {built_by()}")

    found = count()

    assert drifted(found, WRITTEN["instructions"]) == []
