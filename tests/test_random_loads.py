"""The books of a run balance and its figures are true for any load and scenario, drawn from a seed."""

import pytest
from random_loads import play
from thorough import some

pytestmark = pytest.mark.long


@pytest.mark.parametrize("seed", some(range(300), 12))
def test_the_figures_of_a_run_are_what_happened_in_its_visits(seed):
    play(seed)
