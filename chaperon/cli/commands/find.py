"""`chaperon find`: find the highest rate at which every limit holds."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from chaperon import exit_codes
from chaperon.cli.ending.process_exits import exit_at_once
from chaperon.cli.ending.signals import handle_signals
from chaperon.cli.execute import attempt, prepare, progress
from chaperon.cli.live_page.options import closing_page, stay
from chaperon.cli.option_groups import GroupedCommand, option
from chaperon.cli.options import LOAD_NAMES, RATE, RunOptions, load_options, target_argument
from chaperon.cli.outputs import OUTPUTS, outputs_of_search
from chaperon.cli.recorded_report import recorded_report
from chaperon.cli.spans import SPAN
from chaperon.cli.terminal.clean_text import hide
from chaperon.cli.terminal.lines import print_error, print_warning
from chaperon.cli.terminal.sentences import print_sentence
from chaperon.errors import ChaperonError, UsageError
from chaperon.execution.environment import Environment
from chaperon.execution.run_outputs import RUN_FILE
from chaperon.report.capacity import Probe
from chaperon.report.format import number_text
from chaperon.report.outputs.output import Output
from chaperon.report.report import Report
from chaperon.report.run_file.run_file import read_run
from chaperon.report.run_file.writer import RunFileWriter


@click.command(
    cls=GroupedCommand,
    ignored=("by", "merge", "samples", "warmup"),
    refused=LOAD_NAMES,
    reason="find chooses the load",
)
@target_argument
@option("Load", "--from", "start", type=RATE, default="10", show_default=True, help="The lowest rate to try.")
@option("Load", "--to", type=RATE, default="10000", show_default=True, help="The highest rate to try.")
@option("Load", "--step", type=SPAN, default="10s", show_default=True, help="How long each rate is measured.")
@option("Load", "--settle", type=SPAN, default="5s", show_default=True, help="How long each rate warms up before that.")
@option("Load", "--within", type=float, default=0.05, show_default=True, help="Precision, as a share of the rate.")
@load_options
def find(
    file: str,
    start: tuple[float, str],
    to: tuple[float, str],
    step: float,
    settle: float,
    within: float,
    options: RunOptions,
) -> int:
    """Run FILE at one rate after another to find the highest at which every limit holds.

    The rate doubles until a limit breaks, then the gap is halved. The result is confirmed by a run of
    twice the length. If the generator reaches its own limit first, the result says so.
    """
    lowest, highest = _per_second(start), _per_second(to)
    if lowest > highest:
        raise UsageError(f"--from {lowest:g}/s is above --to {highest:g}/s: a search goes up")
    environment = options.load_environment(file, warn=print_warning)
    prepare(environment, options)
    sending, reported = outputs_of_search(options)
    search = partial(
        environment.find,
        start=lowest,
        to=highest,
        step=step,
        settle=settle,
        within=within,
        told=partial(_print_probe, quiet=options.quiet),
    )
    with TemporaryDirectory(prefix="chaperon-find-") as folder:
        temporary = f"{folder}/search.run" if reported else None
        path = options.run_file or temporary
        writer = None if path is None else RunFileWriter(path)
        failed: set[str] = set()
        perform = partial(_run_probe, outputs=sending, writer=writer, failed=failed, options=options)
        with closing_page(sending, options.outputs):
            capacity = search(perform=perform)
            stay(sending, options.outputs)
        written = not failed
        if writer is not None:
            writer.close()
            if writer.failure is not None:
                print_error(writer.failure)
                written = False
        if reported and writer is not None:
            written &= _report(writer.path, reported, confirmed=capacity.rate is not None)
    for row in OUTPUTS:
        if (write := row.write_capacity) is not None:
            written &= attempt("the result", partial(write, options, capacity))
    return capacity.verdict.exit_code if written else exit_codes.FAULT


def _run_probe(
    environment: Environment,
    *,
    outputs: Sequence[Output],
    writer: RunFileWriter | None,
    failed: set[str],
    options: RunOptions,
) -> Report:
    """Run one probe and return its report; *outputs* get its seconds. Those that fail are named once, in *failed*."""
    started = environment.start(outputs=outputs, run_file=writer)
    try:
        with started as running:
            hide(running.plan.secrets)
            with handle_signals(running), progress(running, options, outputs):
                running.wait()
            report = running.finish()
    except KeyboardInterrupt:
        if not started.abandoned:
            raise
    if started.abandoned:
        exit_at_once(exit_codes.ABORTED)
    for failure in started.output_failures:
        if failure.output != RUN_FILE and failure.output not in failed:  # that is named at the end
            failed.add(failure.output)
            print_error(failure.text)
    return report


def _print_probe(probe: Probe, *, quiet: bool) -> None:
    if not quiet:
        why = "" if probe.outcome == "held" else f": {probe.reason}"
        held = "confirmed" if probe.confirming and probe.outcome == "held" else probe.outcome
        with suppress(OSError, ValueError):  # standard error is closed: the search goes on
            print_sentence("", f"{number_text(probe.rate)}/s  {probe.figure}  {held}{why}", err=True)


def _report(path: Path, outputs: Sequence[Output], *, confirmed: bool) -> bool:
    """Let *outputs* write the last probe that held if a rate was *confirmed*, else the last; return whether they did.

    The run file at *path* has all probes.
    """
    try:
        runs = read_run(path)
        report = recorded_report(runs.run() if confirmed else runs.runs[-1], outputs)
    except ChaperonError as exc:
        print_error(str(exc))
        return False
    written = [attempt(output.name, partial(output.finish, report)) for output in outputs]
    return all(written)


def _per_second(value: tuple[float, str]) -> float:
    n, per = value
    return n / (60.0 if per == "m" else 1.0)
