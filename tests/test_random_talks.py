"""What is read from a WebSocket, and reported, is what RFC 6455 makes of its bytes; drawn from a seed."""

import pytest
from random_talks import talk
from thorough import some

pytestmark = pytest.mark.long


@pytest.mark.parametrize("seed", some(range(1000), 20))
def test_what_a_websocket_reads_is_what_its_bytes_say(seed):
    talk(seed)
