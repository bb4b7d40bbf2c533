"""The steps of a visit, one after another, with what follows an exception of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chaperon import forks
from chaperon.errors import StepFailed
from chaperon.interrupts import is_interrupt
from chaperon.load.current_visit import CurrentVisit
from chaperon.load.kinds.think import Between
from chaperon.measure.failures import clear_listed
from chaperon.measure.meter import Meter, SeriesSlot
from chaperon.measure.timed_block import TimedBlock


class PlannedStep:
    """A step of a scenario: *timed* is the function that `@step` made, *plain* that of the author if it is all of it.

    *label* is the name of its series, *think* the pause after it, *on_error* the policy, None for the session's.
    *slot* is that of its series in the sessions of one entry.
    """

    __slots__ = ("label", "on_error", "plain", "slot", "think", "timed")

    def __init__(
        self,
        timed: Callable[[Any], Any],
        plain: Callable[[Any], Any] | None,
        label: str,
        think: Between | None,
        on_error: str | None,
        slot: SeriesSlot | None = None,
    ) -> None:
        self.timed = timed
        self.plain = plain
        self.label = label
        self.think = think
        self.on_error = on_error
        self.slot = slot

    def measured_by(self, meter: Meter) -> PlannedStep:
        """Return the step for sessions that record with forks of a meter."""
        slot = meter.slot(self.label, "step")
        return PlannedStep(self.timed, self.plain, self.label, self.think, self.on_error, slot)


def run_in_order(steps: list[PlannedStep], session: Any, meter: Meter, current: CurrentVisit) -> None:
    """Run the steps in a session, whose meter and visit are given; see `Scenario.run_steps` for what it raises."""
    last = len(steps) - 1
    for place, step in enumerate(steps):
        try:
            plain = step.plain
            if plain is None:
                step.timed(session)
            else:
                due, current.first_due = current.first_due, None
                with TimedBlock(meter, "", "step", due, step.slot or meter.slot(step.label, "step")):
                    plain(session)
            if forks.forking_greenlet is not None:
                forks.end_if_forking_greenlet()
        except BaseException as exc:
            if forks.forking_greenlet is not None:
                forks.end_if_forking_greenlet(exc)
            if type(exc) is StepFailed and exc.policy is not None:
                raise  # of a scenario within this one, which said what is to end
            policy: Any = step.on_error or session.on_error
            if policy == "next-visit" or is_interrupt(exc):
                raise
            if policy != "continue":
                failed = StepFailed()
                failed.policy = policy
                failed.__cause__ = exc  # mypyc: `raise … from` of a compiled module sets no cause
                raise failed
            clear_listed(exc)
        if step.think is not None and place != last:
            session.clock.sleep(step.think.draw_for(session))
