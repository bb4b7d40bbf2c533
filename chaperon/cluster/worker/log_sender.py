"""The log records of a worker on their way to the master: masked, bounded in length and rate."""

from __future__ import annotations

import logging
from collections.abc import Callable

from chaperon.client.log_context import record_lines
from chaperon.clock import Clock
from chaperon.cluster.protocol.log_limits import LONGEST, MOST_WAITING, PER_SECOND
from chaperon.cluster.protocol.messages import LogLine
from chaperon.measure.plain_text import encodable
from chaperon.measure.quantity import count_text


class LogSender(logging.Handler):
    """Collects log records; `batch` returns what has been logged since, at most PER_SECOND records a second.

    *redact* removes the secrets of the worker, which may not be those of the master.
    """

    def __init__(self, clock: Clock, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._clock = clock
        self._redact = redact
        self._waiting: list[LogLine] = []
        self._second = -1
        self._in_second = 0
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, or count it where there were too many."""
        try:
            second = int(self._clock.now())
            if second != self._second:
                self._second, self._in_second = second, 0
            self._in_second += 1
            if self._in_second > PER_SECOND or len(self._waiting) >= MOST_WAITING:
                self._left_out += 1
                return
            text, *details = record_lines(self, record)
            lines = encodable(self._redact("\n".join(details)), LONGEST).split("\n") if details else []
            level = min(max(record.levelno, 0), logging.CRITICAL)
            self._waiting.append(LogLine(level, encodable(self._redact(text), LONGEST), tuple(lines)))
        except Exception:
            self.handleError(record)

    def batch(self) -> tuple[LogLine, ...]:
        """Return the records since the last call, with a line that counts those left out."""
        found, self._waiting = self._waiting, []
        if self._left_out:
            records = count_text(self._left_out, "log record")
            found.append(
                LogLine(logging.WARNING, f"WARNING {records} left out: at most {PER_SECOND} a second are sent")
            )
            self._left_out = 0
        return tuple(found)
