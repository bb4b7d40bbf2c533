"""`chaperon check`: one visit, each sample printed as it is recorded."""

from __future__ import annotations

from dataclasses import replace

import click

from chaperon.cli.execute import execute
from chaperon.cli.option_groups import GroupedCommand, option
from chaperon.cli.options import LOAD_NAMES, RunOptions, load_options, target_argument
from chaperon.cli.terminal.lines import print_warning
from chaperon.cli.terminal.printing import stdout_is_reserved
from chaperon.cli.terminal.samples import SamplePrinter, print_traces
from chaperon.errors import LoadError
from chaperon.measure.failures import cause_of, traces_of
from chaperon.measure.quantity import count_text
from chaperon.report.limits.uncounted import UNCOUNTED
from chaperon.report.report import Report, Verdict
from chaperon.scenario.entry import ONE_VISIT


@click.command(
    cls=GroupedCommand,
    ignored=(*LOAD_NAMES, "limits", "by", "merge", "warmup", "run_file", "strict"),
    reason="check makes one visit of each entry, without limits",
)
@target_argument
@option("Output", "--verbose", is_flag=True, help="Print what is sent and received for every request, not only FAIL.")
@load_options
def check(file: str, options: RunOptions, verbose: bool) -> int:
    """Make one visit of every entry of FILE, and print each request, step and error as it happens.

    Of a mix, every scenario makes a visit. Any error is a FAIL. A failing request is printed
    with its headers and body and those of its response, at most 500 bytes of each body.
    """
    environment = options.load_environment(file, warn=print_warning)
    entries = [replace(each, load=ONE_VISIT) for entry in environment.entries for each in entry.split_mix()]
    once = replace(environment, scenarios=entries, limits=())
    printer = SamplePrinter(with_label=len(once.entries) > 1, err=stdout_is_reserved(), verbose=verbose)
    # every sample was printed already: after them the verdict alone
    try:
        return execute(once, replace(options, quiet=True), tap=printer, judge=_judge)
    except LoadError as exc:  # of the setup
        cause = cause_of(exc)
        if cause is not None:
            print_traces(traces_of(cause), err=True)
        raise


def _judge(report: Report) -> Report:
    """Return the report of a check: any error is a FAIL, though there are no limits."""
    warnings, reasons = (
        tuple(text for text in texts if not text.startswith(UNCOUNTED)) for texts in (report.warnings, report.reasons)
    )
    report = replace(report, warnings=warnings, reasons=reasons)
    errors = sum(error.count for error in report.errors)
    if errors and report.verdict is Verdict.PASS:
        reason = count_text(errors, "error")
        report = replace(report, verdict=Verdict.FAIL, reasons=(*report.reasons, reason))
    return report
