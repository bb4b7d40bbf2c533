"""Where the time of one request went, stage by stage."""

from __future__ import annotations

from typing import NamedTuple


class Timings(NamedTuple):
    """The stages of one request, in seconds, in the order in which they happen.

    A stage that did not happen took 0.0: a kept connection has neither DNS, TCP nor TLS. A
    WebSocket's handshake has the same stages.
    """

    queued: float = 0.0
    """Waiting for a connection to become free."""
    dns: float = 0.0
    tcp: float = 0.0
    tls: float = 0.0
    sending: float = 0.0
    waiting: float = 0.0
    """From the last byte sent to the first one received."""
    receiving: float = 0.0

    @property
    def total(self) -> float:
        """The sum of all stages."""
        return sum(self)
