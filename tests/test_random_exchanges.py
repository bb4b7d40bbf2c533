"""Figures of a run are those of a server that answers at random; drawn from a seed, over real sockets."""

import pytest
from random_exchanges import exchange
from thorough import some

pytestmark = pytest.mark.long


@pytest.mark.parametrize("seed", some(range(100), 12))
def test_what_is_reported_is_what_a_server_of_random_answers_saw(seed):
    exchange(seed)
