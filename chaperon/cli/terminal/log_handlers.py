"""Log records on standard error or in a file, with the user, the visit and the step that they are of."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress

from chaperon.cli.terminal.clean_text import INDENT, REDACT, clean_line
from chaperon.cli.terminal.lines import print_line, print_warning
from chaperon.client.log_context import LogContext, record_lines
from chaperon.errors import OutputError
from chaperon.report.output_parts.output_file import default_mode, open_output

QUIET = ("urllib3", "requests", "websocket", "charset_normalizer")
"""Libraries that Chaperon sends with: their DEBUG records are of every connection, and are left out."""
TIME = "%(asctime)s "
"""What a line of a file begins with."""


class RecordFormatter(logging.Formatter):
    """Formats a record with its level, its logger, and its user, visit and step; *prefix* is a format, such as TIME."""

    def __init__(self, prefix: str = "") -> None:
        super().__init__(f"{prefix}%(levelname)s %(name)s%(context)s: %(message)s")
        self._of_workers = logging.Formatter(f"{prefix}%(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record; one of a worker has its own level, logger and place in its text."""
        return self._of_workers.format(record) if hasattr(record, "details") else super().format(record)


class StderrHandler(logging.Handler):
    """Print log records on the current `sys.stderr`, above the progress line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record as one line, with its traceback indented below."""
        try:
            first, *more = record_lines(self, record)
            self.write_line(first)
            # as a whole: a secret may be wrapped
            for line in REDACT("\n".join(more)).split("\n") if more else ():
                self.write_line(f"{INDENT}{line}")
        except Exception:
            self.handleError(record)

    def write_line(self, line: str) -> None:
        """Print one line. Raises OSError."""
        print_line(line, err=True)


class FileHandler(StderrHandler):
    """Write log records to a file, which is emptied first; secrets are masked. Raises OutputError if it cannot."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        try:
            file = open_output(path, default_mode())
        except OSError as exc:
            raise OutputError(f"cannot write {path}: {exc.strerror}; give another path") from exc
        self._stream = os.fdopen(file, "w", encoding="utf-8", errors="backslashreplace", buffering=1)
        self._failed = False

    def write_line(self, line: str) -> None:
        """Write one line. Raises OSError."""
        self._stream.write(f"{clean_line(line)}\n")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - of logging.Handler
        """Print why the file cannot be written, once."""
        if not self._failed:
            self._failed = True
            print_warning(f"cannot write all of {self._path}: {sys.exc_info()[1]}")

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            self._stream.close()
        super().close()


class HintHandler(logging.Handler):
    """Prints the first record, from WARNING up, that no other handler gets, and how all of them are printed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(RecordFormatter())
        self.addFilter(LogContext())
        self._printed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Print the first record as one line; drop the others."""
        if not self._printed:
            with suppress(Exception):
                first = record_lines(self, record)[0]
                self._printed = True
                print_warning(f"{first} (no further log record is printed without --log warning)")


def hint_at_log() -> None:
    """Print only the first record that no handler gets, where Python prints each of them, without its session."""
    logging.lastResort = HintHandler()


def log_to(handler: logging.Handler, level: str, prefix: str = "") -> None:
    """Give the records of all loggers from *level* up to *handler*, which replaces the one of an earlier call.

    Handlers of the author that print on standard output or standard error are removed from the root
    logger, since each record would be printed twice; other handlers stay.
    """
    root, lowest = logging.getLogger(), getattr(logging, level.upper())
    for each in [each for each in root.handlers if _replaced(each)]:
        root.removeHandler(each)
        if isinstance(each, FileHandler):
            each.close()
    handler.setFormatter(RecordFormatter(prefix))
    handler.addFilter(LogContext())
    root.addHandler(handler)
    root.setLevel(lowest)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(lowest, logging.INFO))


def _replaced(handler: logging.Handler) -> bool:
    if type(handler) is logging.StreamHandler:
        names = ("stdout", "stderr", "__stdout__", "__stderr__")
        return any(handler.stream is getattr(sys, name) for name in names)
    return any(isinstance(each, LogContext) for each in handler.filters)
