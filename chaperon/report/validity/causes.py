"""What kept a generator from its work, by the evidence in its health."""

from __future__ import annotations

from collections.abc import Mapping

from chaperon.report.format import time_text

WORTH = 0.05
"""A cause that took so much of the time is worth saying."""
EVIDENCE = ("throttled", "steal", "gc", "queued")
_WORDS = {
    "throttled": "the control group's CPU quota was used up for {}: raise the quota, or send less",
    "steal": "the hypervisor ran other machines for {}: use a machine with cores of its own",
    "gc": "garbage was collected for {}: keep fewer objects alive in the scenario",
    "queued": "other processes kept the generator's core for {}: run nothing else beside it",
}
UNKNOWN = "cause unknown: no CPU quota, no other process or machine, no garbage collection explains it"


def cause_of(seen: Mapping[str, float], span: float) -> str | None:
    """Return what took most of *span* seconds, with its remedy; None where no evidence explains a twentieth of it.

    *seen* has the seconds that each kind of `EVIDENCE` took.
    """
    kind = max(EVIDENCE, key=lambda name: seen.get(name, 0.0))
    took = seen.get(kind, 0.0)
    return _WORDS[kind].format(time_text(took)) if took > 0.0 and took >= WORTH * span else None
