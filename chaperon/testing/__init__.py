"""Tools for tests: a virtual clock, a scripted network, faulty servers (`chaperon.testing.hostile`)."""

from chaperon.testing.clock import VirtualClock

__all__ = ["VirtualClock"]
