"""Causes of a slow generator, from the evidence in its health figures."""

from __future__ import annotations

from collections.abc import Mapping

from chaperon.report.format import time_text

REPORTED_FROM = 0.05
"""Smallest share of the time that a cause must have taken to be reported."""
EVIDENCE = ("throttled", "steal", "gc", "queued")
"""Health figures, in seconds, that name a cause."""
_MESSAGES = {
    "throttled": "the control group's CPU quota was used up for {}: raise the quota, or send less",
    "steal": "the hypervisor ran other machines for {}: use a machine with dedicated cores",
    "gc": "garbage collection took {}: keep fewer objects alive in the scenario",
    "queued": "other processes occupied the generator's core for {}: run it on an idle machine",
}
UNKNOWN = "cause unknown: no CPU quota, other process, other machine or garbage collection explains it"


def cause_of(seen: Mapping[str, float], span: float) -> str | None:
    """Return the main cause in *span* seconds, with a remedy; None if no cause took 5 % of that time.

    *seen* has the seconds taken by each kind of `EVIDENCE`.
    """
    kind = max(EVIDENCE, key=lambda name: seen.get(name, 0.0))
    took = seen.get(kind, 0.0)
    return _MESSAGES[kind].format(time_text(took)) if took > 0.0 and took >= REPORTED_FROM * span else None
