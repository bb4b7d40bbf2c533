"""Standard streams that may be closed, full or broken."""

from __future__ import annotations

import logging
import os
import sys


def give_up_stdout() -> None:
    """Send what is still buffered nowhere: else the interpreter complains of it at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class Told(logging.Handler):
    """Log records on whatever standard error is at the moment: the progress line moves aside for them."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except Exception:
            self.handleError(record)
