"""What a person may do with a run on the page: each action becomes an event of the report that says who asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from chaperon.errors import ActionRefused, PlanError, UsageError
from chaperon.load.live_changes import positive
from chaperon.report.page.run_control import RunControl

MOST_BYTES = 4096
"""Bytes of a request that asks for an action."""
MOST_FACTOR = 1000
"""The greatest factor of a load that the page accepts."""
LONGEST_NOTE = 200
"""Characters of a note."""
Action = Callable[[RunControl, Mapping[str, Any], str], str]
"""Does something with a run, given the request and who asked, and returns what was asked for in words."""


def parse_action(body: bytes) -> Mapping[str, Any]:
    """Return the request in *body*: a JSON object with an "action". Raises ActionRefused."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise ActionRefused("400 Bad Request", "the body is not JSON") from None
    if not isinstance(asked, dict) or not isinstance(asked.get("action"), str):
        raise ActionRefused("400 Bad Request", 'the body is no object like {"action": "pause"}')
    return asked


def act(run: RunControl | None, asked: Mapping[str, Any], who: str) -> str:
    """Do what *asked* says with *run* and record who asked; return it in words. Raises ActionRefused."""
    action = ACTIONS.get(asked["action"])
    if action is None:
        raise ActionRefused("400 Bad Request", f"there is no such action: there are {', '.join(sorted(ACTIONS))}")
    if run is None or run.ended:
        raise ActionRefused("409 Conflict", "no run is going on")
    try:
        return action(run, asked, who)
    except (PlanError, UsageError) as exc:
        raise ActionRefused("409 Conflict", str(exc)) from exc


def _scale(run: RunControl, asked: Mapping[str, Any], who: str) -> str:
    factor = asked.get("factor")
    if isinstance(factor, bool) or not isinstance(factor, (int, float)):
        raise ActionRefused("400 Bad Request", '"factor" is a number: 2 sends twice what was planned')
    if not 0.0 < factor <= MOST_FACTOR:
        raise ActionRefused("400 Bad Request", f'"factor" is more than 0 and at most {MOST_FACTOR:,}')
    run.scale(positive(float(factor)), by=who)
    return f"scale to {factor:.4g} times the plan"


def _pause(run: RunControl, asked: Mapping[str, Any], who: str) -> str:
    run.pause(by=who)
    return "pause"


def _resume(run: RunControl, asked: Mapping[str, Any], who: str) -> str:
    run.resume(by=who)
    return "resume"


def _stop(run: RunControl, asked: Mapping[str, Any], who: str) -> str:
    run.stop(f"stopped by {who}", by=who)
    return "stop"


def _note(run: RunControl, asked: Mapping[str, Any], who: str) -> str:
    text = asked.get("text")
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_NOTE:
        raise ActionRefused("400 Bad Request", f'"text" is a note of 1 to {LONGEST_NOTE} characters')
    run.note(text.strip(), by=who)
    return "note"


ACTIONS: Mapping[str, Action] = {"scale": _scale, "pause": _pause, "resume": _resume, "stop": _stop, "note": _note}
