"""The stages of one request, timed."""

from __future__ import annotations

from typing import NamedTuple


class Timings(NamedTuple):
    """Seconds spent in each stage of a request or WebSocket handshake, in order.

    A stage that did not happen is 0.0: a reused connection has no DNS, TCP and TLS.
    """

    queued: float = 0.0
    """From the call to an available connection, without *dns*, *tcp* and *tls*."""
    dns: float = 0.0
    """Name resolution."""
    tcp: float = 0.0
    """TCP connect."""
    tls: float = 0.0
    """TLS handshake."""
    sending: float = 0.0
    """From the first byte sent to the last."""
    waiting: float = 0.0
    """From the last byte sent to the first byte received."""
    receiving: float = 0.0
    """From the first byte received to the last."""

    @property
    def total(self) -> float:
        """The sum of all stages."""
        return sum(self)
