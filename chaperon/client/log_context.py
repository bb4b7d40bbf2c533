"""The user, the visit and the step of a log record, from the session of the greenlet that logs."""

from __future__ import annotations

import logging
from typing import Any

from chaperon.client.current_session import current_session


class LogContext(logging.Filter):
    """Adds `user`, `visit`, `step` (None where there is none) and `context`, their text, to every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the attributes; every record passes."""
        session = current_session()
        place: dict[str, object] = dict.fromkeys(("user", "visit", "step"))
        if session is not None:
            place = {"user": session.visit.user, "visit": session.visit.number, "step": _step_of(session)}
        context = ", ".join(f"{name} {value}" for name, value in place.items() if value is not None)
        record.__dict__.update(place, context=f" [{context}]" if context else "")
        return True


def _step_of(session: Any) -> str | None:
    """Return the name of the step that a session is in; of a task, the step that has started it."""
    while session is not None:
        if step := session.meter.activity.step:
            return str(step).removeprefix("step ")
        session = session._parent
    return None


def record_lines(handler: logging.Handler, record: logging.LogRecord) -> list[str]:
    """Return a record as *handler* formats it, then the lines of its traceback and of its stack.

    The record of a worker brings these lines as its attribute `details`.
    """
    trace, record.exc_info, record.exc_text = record.exc_info, None, None
    stack, record.stack_info = record.stack_info, None
    try:
        message = handler.format(record)
    finally:
        record.exc_info, record.stack_info = trace, stack
    details = logging.Formatter().formatException(trace) if trace else ""
    lines = [line for line in f"{details}\n{stack or ''}".split("\n") if line]
    return [message, *lines, *getattr(record, "details", ())]
