"""What tests of scenarios need: a clock that obeys, servers that do not (`chaperon.testing.hostile`)."""

from chaperon.testing.clock import VirtualClock

__all__ = ["VirtualClock"]
