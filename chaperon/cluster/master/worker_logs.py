"""The log records of workers, logged by the master under the names of the workers."""

from __future__ import annotations

import logging

from chaperon.cluster.master.quotas import WorkerId
from chaperon.cluster.protocol.log_limits import LONGEST, MOST_WAITING
from chaperon.cluster.protocol.messages import LogLines
from chaperon.measure.plain_text import encodable
from chaperon.measure.quantity import count_text

LOG = logging.getLogger("chaperon.worker")


class WorkerLogs:
    """Logs what workers have logged, each message once; messages that got lost are counted."""

    def __init__(self) -> None:
        self._numbers: dict[WorkerId, int] = {}

    def record(self, message: LogLines) -> None:
        """Log the records of a message of an admitted worker."""
        worker = message.worker, message.incarnation
        newest = self._numbers.get(worker, 0)
        if message.number <= newest:
            return
        self._numbers[worker] = message.number
        if missing := message.number - newest - 1:
            text = f"WARNING {count_text(missing, 'message')} with log records lost on the way"
            LOG.warning("%s: %s", message.worker, text, extra={"details": ()})
        for line in message.lines[: MOST_WAITING + 1]:
            text = encodable(line.text, LONGEST)
            LOG.log(line.level, "%s: %s", message.worker, text, extra={"details": line.details[:LONGEST]})
