"""`chaperon page`: start runs from a browser, or look at one that was kept."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click

from chaperon.cli.ending.signals import interruptible_setup
from chaperon.cli.execute import execute
from chaperon.cli.live_page.launcher import PageLauncher
from chaperon.cli.live_page.options import PAGE_OPTIONS, make_page
from chaperon.cli.option_groups import GroupedCommand
from chaperon.cli.options import RunOptions, load_options, target_argument
from chaperon.cli.output_rows import parse_address
from chaperon.cli.recorded_report import recorded_report
from chaperon.cli.terminal.lines import print_error, print_notice, print_warning
from chaperon.clock import HubClock
from chaperon.errors import ChaperonError
from chaperon.execution.environment import Environment
from chaperon.execution.run import Run
from chaperon.live_page.output import PageOutput
from chaperon.report.outputs.output import Output
from chaperon.report.run_file.run_file import read_run

DAY = 86_400.0


@click.command(cls=GroupedCommand, ignored=("page", "linger"), reason="the page is all there is, until Ctrl-C")
@target_argument
@load_options
def page(file: str, options: RunOptions) -> int:
    """Serve a page on which runs of a scenario FILE are started, or which shows the run that is kept in a run FILE.

    It stays until Ctrl-C. The options of `chaperon local` apply to the runs that are started.
    """
    output = make_page({**options.outputs, "page": True, "linger": None}, parse_address)
    assert output is not None
    with output.page, suppress(KeyboardInterrupt):
        if is_run_file(file):
            _show(file, output)
        else:
            _start_runs(options.load_environment(file, warn=print_warning), options, output)
    return 0


def is_run_file(file: str) -> bool:
    """Return whether *file* is a run file and no scenario: Python source has no zero bytes, the head of a frame has."""
    path = Path(file)
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return b"\0" in stream.read(4096)


def _show(file: str, output: PageOutput) -> None:
    """Show the last run of a run file until Ctrl-C."""
    report = recorded_report(read_run(file).run(), [output])
    output.finish(report)
    with interruptible_setup():
        while True:
            HubClock().sleep(DAY)


def _start_runs(environment: Environment, options: RunOptions, output: PageOutput) -> None:
    """Make the runs that the page asks for, one after another, until Ctrl-C. A run that cannot start is said."""
    launcher = PageLauncher(environment, options)
    output.page.application.launcher = launcher
    output.listen()
    without = {**options.outputs, **dict.fromkeys(PAGE_OPTIONS)}
    while True:
        with interruptible_setup():
            asked = launcher.wait()

        def start(outputs: Sequence[Output], run_file: str | None, asked: Environment = asked) -> Run:
            return asked.start(outputs=[output, *outputs], run_file=run_file)

        try:
            execute(asked, replace(options, outputs=without), start=start)
        except ChaperonError as exc:
            print_error(str(exc))
            launcher.failure = str(exc)
        finally:
            launcher.done()
        print_notice("the page can start the next run; Ctrl-C ends it")
