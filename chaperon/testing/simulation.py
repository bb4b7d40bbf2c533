"""A run in virtual time against a scripted network: no server, no sockets, no waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaperon.errors import UsageError
from chaperon.execution.running import Running
from chaperon.testing.clock import VirtualClock

if TYPE_CHECKING:
    from chaperon.execution.environment import Environment
    from chaperon.report.report import Report
    from chaperon.testing.network import ScriptedNetwork


def simulate(environment: Environment, network: ScriptedNetwork) -> Report:
    """Run *environment* to its end on the clock of *network* and return the report.

    Blocks only as long as the code takes: time advances when all greenlets wait. The sockets must
    be patched by gevent, as for every run. Raises what a script of the network raised, what
    `Environment.start` raises, TeardownError, and UsageError unless the network has a
    `VirtualClock` and all services use transport="wire".
    """
    clock = network.clock
    if not isinstance(clock, VirtualClock):
        raise UsageError(f"simulate() needs ScriptedNetwork(VirtualClock(), …), got a network on {clock!r}")
    running = Running(environment.plan(), clock=clock, network=network).start()
    clock.run(lambda: running.ended)
    for failure in network.failures:
        raise failure
    report = running.report()
    if running.teardown_error is not None:
        running.teardown_error.report = report
        raise running.teardown_error
    return report
