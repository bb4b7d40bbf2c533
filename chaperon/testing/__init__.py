"""Tools for tests: a virtual clock, a scripted network, simulated runs, faulty servers (`chaperon.testing.hostile`)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from chaperon.testing.clock import VirtualClock

if TYPE_CHECKING:
    from chaperon.testing.network import ScriptedNetwork, ScriptedPeer
    from chaperon.testing.simulation import simulate

__all__ = ["ScriptedNetwork", "ScriptedPeer", "VirtualClock", "simulate"]

_LATE = {"ScriptedNetwork": "network", "ScriptedPeer": "network", "simulate": "simulation"}
"""Loaded when first used: they import ssl, which gevent must have patched before."""


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'chaperon.testing' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"chaperon.testing.{_LATE[name]}"), name)
    return value
