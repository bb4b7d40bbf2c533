"""The values of an environment are checked where they are given."""

import math

import pytest

from chaperon import Environment, LoadError, PlanError, Service


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"timeout": (math.nan, 3)}, "timeout: a time span must be finite and not negative, got nan"),
        ({"timeout": (3, math.inf)}, "timeout: a time span must be finite and not negative, got inf"),
        ({"timeout": (-1, 3)}, "timeout: a time span must be finite and not negative, got -1"),
        ({"timeout": (3, 0)}, "a timeout of 0 s would fail every request"),
        (
            {"timeout": (1, 2, 3)},
            r"timeout= takes one time, or a pair for connecting and for each read; got \(1, 2, 3\)",
        ),
        ({"services": {"api": Service("http://h", timeout=(math.nan, 1))}}, "timeout: a time span must be finite"),
        ({"services": {"api": Service("http://h", timeout=math.nan)}}, "timeout: a time span must be finite"),
        ({"seed": math.nan}, "seed= takes a whole number, got nan"),
        ({"seed": 1.5}, "seed= takes a whole number, got 1.5"),
        ({"seed": "7"}, "seed= takes a whole number, got '7'"),
        ({"seed": True}, "seed= takes a whole number, got True"),
    ],
    ids=str,
)
def test_a_timeout_and_a_seed_that_are_no_such_thing_are_refused(given, says):
    with pytest.raises((LoadError, PlanError), match=says):
        Environment("http://localhost", **given)


def test_a_pair_of_timeouts_may_be_text_and_have_no_bound():
    assert Environment("http://localhost", timeout=("1s", None)).timeout == (1.0, None)
