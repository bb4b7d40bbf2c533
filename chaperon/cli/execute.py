"""Run an environment, write its outputs, return the exit code: shared by every command that sends load."""

from __future__ import annotations

import errno
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from chaperon.cli.interrupts import defer_signals, handle_signals, interruptible_setup
from chaperon.cli.options import RunOptions
from chaperon.cli.terminal.console import CleanConsole
from chaperon.cli.terminal.live import ProgressLine
from chaperon.cli.terminal.stray_errors import stray_errors_contained
from chaperon.cli.terminal.streams import StderrHandler, discard_stdout, hide, print_error, print_line
from chaperon.errors import OutputError
from chaperon.execution.environment import Environment
from chaperon.interrupts import is_interrupt
from chaperon.measure.exception_text import describe
from chaperon.measure.sample import Sample
from chaperon.report.outputs.console import print_report
from chaperon.report.outputs.json import write_json
from chaperon.report.report import Report

if TYPE_CHECKING:
    from chaperon.execution.run import Run

PIPE_WIDTH = 140
"""Columns of the table where standard output is no terminal."""


def write_outputs(report: Report, options: RunOptions) -> int:
    """Write the JSON and print the table, each also if the other fails; return the exit code.

    If the table cannot be printed, the verdict is printed without it. Raises BrokenPipeError.
    """
    written = True
    if (path := options.json) is not None:
        written = attempt(f"write the report to {path}", lambda: write_json(report, path))
    if options.quiet:
        return (
            report.verdict.exit_code if attempt("print the verdict", lambda: _print_verdict(report)) and written else 1
        )
    if attempt("print the table", lambda: _print_table(report, options.by)):
        return report.verdict.exit_code if written else 1
    if sys.stdout is not None:
        attempt("print the verdict", lambda: _print_verdict(report))
    return 1


def attempt(action: str, output: Callable[[], None]) -> bool:
    """Call *output* and return whether it succeeded; print its exception as one line, so that other outputs go on.

    *action* names it in that line, such as "print the table". Raises BrokenPipeError if the reader
    of the stream has gone.
    """
    try:
        output()
    except BrokenPipeError:
        raise
    except Exception as exc:
        with suppress(OSError, ValueError):
            print_error(_failure_text(action, exc))
        return False
    return True


@contextmanager
def printing() -> Iterator[TextIO]:
    """Yield standard output and flush it at the end; after an error discard what is buffered. Raises OSError."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError:
        discard_stdout()
        raise


def _failure_text(action: str, exc: Exception) -> str:
    if isinstance(exc, OutputError):
        return str(exc)
    if isinstance(exc, OSError):
        return f"cannot {action}: {exc.strerror or exc}"
    try:
        return f"cannot {action}: {type(exc).__name__}: {exc}"
    except Exception:  # its __str__ raises as well
        return f"cannot {action}: {type(exc).__name__}"


def _print_table(report: Report, by: Sequence[str]) -> None:
    with printing() as stdout:
        print_report(report, CleanConsole(stdout, width=None if stdout.isatty() else PIPE_WIDTH), by)


def _print_verdict(report: Report) -> None:
    with printing():
        print_line(report.verdict.value)
        for reason in report.reasons:
            print_line("  ", reason)


def execute(
    environment: Environment,
    options: RunOptions,
    *,
    tap: Callable[[Sample], None] | None = None,
    live: bool = True,
    outputs: Callable[[Report, RunOptions], int] = write_outputs,
    start: Callable[[], Run] | None = None,
) -> int:
    """Run *environment* in this process, or as *start* does; show progress, write outputs, return the exit code.

    Raises LoadError, TeardownError, and what *start* raises.
    """
    prepare(environment, options)
    with interruptible_setup():
        started = start() if start else environment.start(tap)
    with started as running, stray_errors_contained():
        hide(running.plan.secrets)  # setup may have added some
        try:
            with handle_signals(running), ProgressLine(running, shown=live and not options.quiet):
                running.wait()
        except BaseException as exc:
            if isinstance(exc, Exception):
                raise
            if not is_interrupt(exc):  # code of the scenario threw it into this greenlet
                running.kill(f"{describe(exc)}, raised in the main greenlet")
            # otherwise the third signal: write what is known and exit
        with defer_signals():
            code = outputs(running.report(), options)
    if running.teardown_error is not None:
        raise running.teardown_error
    return code


def prepare(environment: Environment, options: RunOptions) -> None:
    """Configure logging and warnings as the options say, mask the secrets of the environment."""
    hide(environment.secrets)
    if options.log:
        handler = StderrHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logger = logging.getLogger("chaperon")
        logger.handlers = [handler]
        logger.setLevel(options.log.upper())
    if not all(service.verify for service in environment.plan().services.values()):
        warnings.filterwarnings("ignore", message="Unverified HTTPS request")  # on purpose: --insecure or verify=False
