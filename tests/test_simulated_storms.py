"""After any faults and acts a cluster's run ends and its books are right; on simulated time, drawn from a seed."""

import pytest
from simulated_storms import storm
from thorough import some

pytestmark = pytest.mark.long


@pytest.mark.parametrize("seed", some(range(300), 12))
def test_after_a_storm_the_laws_of_the_books_hold(seed):
    storm(seed)
