"""Run an environment, write its outputs, return the exit code: shared by every command that sends load."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING

from chaperon import exit_codes
from chaperon.cli.ending.process_exits import exit_at_once, process_exits_refused
from chaperon.cli.ending.signals import defer_signals, handle_signals, interruptible_setup
from chaperon.cli.live_page.options import closing_page, stay
from chaperon.cli.options import RunOptions
from chaperon.cli.output_rows import OutputValues, TableOutput, VerdictOutput
from chaperon.cli.outputs import make_outputs, probe_outputs
from chaperon.cli.terminal.capabilities import fits_live_view, redraws
from chaperon.cli.terminal.clean_text import hide
from chaperon.cli.terminal.lines import print_error, print_notice, print_warning
from chaperon.cli.terminal.log_handlers import TIME, FileHandler, StderrHandler, hint_at_log, log_to
from chaperon.cli.terminal.printing import stdout_is_reserved
from chaperon.cli.terminal.stray_errors import stray_errors_contained
from chaperon.execution.descriptor_check import descriptor_warning
from chaperon.execution.environment import Environment
from chaperon.execution.output_feed import OutputFailure, failure_text
from chaperon.interrupts import is_a, is_ours, is_raised
from chaperon.measure.exception_text import describe
from chaperon.measure.sample import Sample
from chaperon.report.output_parts.output_file import probe_output
from chaperon.report.outputs.output import Output

if TYPE_CHECKING:
    from chaperon.execution.run import Run
    from chaperon.report.report import Report


def attempt(name: str, write: Callable[[], None]) -> bool:
    """Call *write* and return whether it succeeded; print its exception as one line, so that other outputs go on.

    *name* is what was to be written, such as "the result". Raises BrokenPipeError if the reader of
    the stream has gone.
    """
    try:
        write()
    except BrokenPipeError:
        raise
    except BaseException as exc:
        if not is_raised(exc):
            raise
        _print_failure(failure_text(name, exc))
        return False
    return True


def exit_code_of(report: Report, failures: Sequence[OutputFailure], *, err: bool = False) -> int:
    """Print why outputs could not be written, and return the exit code of the run: 1 if there are any.

    If the table or the verdict is one of them, the verdict is printed without it, on standard error where standard
    output does not work. Raises BrokenPipeError if the reader of a stream has gone.
    """
    lost = any(
        each.output in (TableOutput.name, VerdictOutput.name) and isinstance(each.error, OSError) for each in failures
    )
    for failure in failures:
        if isinstance(failure.error, BrokenPipeError):
            if lost and not err:
                with suppress(OSError):
                    print_notice(report.headline)
            raise failure.error
        _print_failure(failure.text)
    if lost or any(failure.output == TableOutput.name for failure in failures):
        attempt("the verdict", lambda: VerdictOutput(err=err or lost).finish(report))
    return exit_codes.FAULT if failures else report.verdict.exit_code


def write_report(report: Report, outputs: Sequence[Output], options: OutputValues) -> int:
    """Let each of *outputs* write the report; return the exit code of its verdict, 1 if one could not be written."""
    failures = []
    for output in outputs:
        try:
            output.finish(report)
        except BaseException as exc:
            if not is_raised(exc):
                raise
            failures.append(OutputFailure(output.name, exc))
    return exit_code_of(report, failures, err=stdout_is_reserved())


def _print_failure(text: str) -> None:
    with suppress(OSError, ValueError):
        print_error(text)


def execute(
    environment: Environment,
    options: RunOptions,
    *,
    tap: Callable[[Sample], None] | None = None,
    judge: Callable[[Report], Report] = lambda report: report,
    start: Callable[[Sequence[Output], str | None], Run] | None = None,
) -> int:
    """Run *environment* in this process, or as *start* does; show progress, write outputs, return the exit code.

    *judge* may change the report before it is written. Raises LoadError, OutputError before
    anything is sent, TeardownError, and what *start* raises.
    """
    prepare(environment, options)
    if start is None:  # else each process that sends load has its own limit, and prints its own warning
        warning = descriptor_warning(environment.plan())
        if warning is not None:
            print_warning(warning)
    outputs = make_outputs(options)
    with interruptible_setup():
        run_file = options.run_file
        started = start(outputs, run_file) if start else environment.start(tap, outputs=outputs, run_file=run_file)
    with closing_page(outputs, options.outputs), started as running, stray_errors_contained():
        hide(running.plan.secrets)  # setup may have added some
        with (
            suppress(KeyboardInterrupt),  # the third signal, or a refused exit: write what is known and exit
            handle_signals(running),
            process_exits_refused(running),
            progress(running, options, outputs),
        ):
            _wait_for_end(running)
        with defer_signals():
            report = running.finish(judge)
            code = exit_code_of(report, running.output_failures, err=stdout_is_reserved())
        if not running.abandoned:
            stay(outputs, options.outputs)
    if running.teardown_error is not None:
        raise running.teardown_error
    if running.abandoned:
        exit_at_once(code)
    return code


def _wait_for_end(running: Run) -> None:
    """Block until the run has ended. What code of the scenario throws into this greenlet ends it as ABORTED.

    Raises an Exception that was thrown, and the interrupts of `handle_signals`.
    """
    while not running.ended:
        try:
            running.wait()
        except BaseException as exc:
            if is_ours(exc) or is_a(exc, Exception):
                raise
            running.kill(f"{describe(exc)}, raised in the main greenlet")


def progress(running: Run, options: RunOptions, outputs: Sequence[Output]) -> AbstractContextManager[object]:
    """Return what shows the progress of *running*: the live view on a capable terminal, lines elsewhere."""
    if options.quiet:
        return nullcontext()
    if options.plain or not fits_live_view(os.environ):
        from chaperon.cli.terminal.live import ProgressLine  # late: one of both is needed

        return ProgressLine(running, redrawn=not options.plain and redraws(os.environ))
    from chaperon.cli.live_view.live_view import LiveView  # late: as above

    return LiveView(running, outputs)


def relay_of(options: RunOptions) -> Callable[[str], None] | None:
    """Return what prints the lines of engine processes above the live view; None where they print by themselves."""
    shown = not options.quiet and not options.plain and fits_live_view(os.environ)
    return print_notice if shown and sys.stdout is not None and sys.stdout.isatty() else None


def prepare(environment: Environment, options: RunOptions) -> None:
    """Read and hide secrets, probe the outputs, set up logging and warnings. Raises LoadError, OutputError."""
    plan = environment.plan()
    hide(plan.secrets)
    probe_outputs(options)
    if options.run_file is not None:
        probe_output(options.run_file)
    if options.log_file is not None:
        probe_output(options.log_file)
        log_to(FileHandler(options.log_file), options.log_level or "info", TIME)
    elif options.log_level is not None:
        log_to(StderrHandler(), options.log_level)
    else:
        hint_at_log()
    if not all(service.verify for service in plan.services.values()):
        warnings.filterwarnings("ignore", message="Unverified HTTPS request")  # on purpose: --insecure or verify=False
