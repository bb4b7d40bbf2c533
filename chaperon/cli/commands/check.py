"""`chaperon check`: one visit, each sample printed as it is recorded."""

from __future__ import annotations

from dataclasses import replace

import click

from chaperon.cli.execute import execute
from chaperon.cli.option_groups import GroupedCommand
from chaperon.cli.options import LOAD_NAMES, RunOptions, load_options, target_argument
from chaperon.cli.outputs import prints_elsewhere
from chaperon.cli.terminal.streams import Styled, print_line, print_warning
from chaperon.measure.quantity import count_text
from chaperon.measure.sample import Sample
from chaperon.report.format import number_text, time_text
from chaperon.report.report import Report, Verdict
from chaperon.scenario.entry import ONE_VISIT


@click.command(
    cls=GroupedCommand,
    ignored=(*LOAD_NAMES, "limits", "by", "warmup", "run_file"),
    reason="check makes one visit of each entry, without limits",
)
@target_argument
@load_options
def check(file: str, options: RunOptions) -> int:
    """Make one visit of every entry of FILE, and print each request, step and error as it happens.

    Of a mix, every scenario makes a visit. Any error is a FAIL.
    """
    environment = options.load_environment(file, warn=print_warning)
    entries = [replace(each, load=ONE_VISIT) for entry in environment.entries for each in entry.split_mix()]
    once = replace(environment, scenarios=entries, limits=())
    printer = SamplePrinter(with_label=len(once.entries) > 1, err=prints_elsewhere(options))
    # every sample was printed already: after them the verdict alone
    return execute(once, replace(options, quiet=True), tap=printer, judge=_judge)


class SamplePrinter:
    """Prints every sample, until standard output is closed."""

    def __init__(self, *, with_label: bool, err: bool = False) -> None:
        self._err = err
        self._labelled = with_label
        self._readable = True

    def __call__(self, sample: Sample) -> None:
        """Print one sample. Never raises: the visit calls it."""
        if not self._readable:
            return
        try:
            print_line(*([f"{sample.key.scenario}: "] if self._labelled else []), *sample_line(sample), err=self._err)
        except Exception:
            self._readable = False


def sample_line(sample: Sample) -> tuple[Styled, str]:
    """Return a sample as the parts of a line: a mark, then its time or value, its name and its error."""
    failure = sample.failure
    mark = Styled("ok  ", fg="green") if failure is None else Styled("FAIL", fg="red")
    figure = time_text(sample.took) if sample.value is None else number_text(sample.value)
    line = f" {figure:>8}  {sample.key.name}"
    if sample.bytes:
        line += f"  {sample.bytes:,} B"
    if failure is None:
        return mark, line
    if failure.listed and failure.message:
        return mark, f"{line}  {failure.error}: {failure.message.removeprefix(f'{failure.error}: ')}"
    return mark, f"{line}  {failure.error}"


def _judge(report: Report) -> Report:
    """Return the report of a check: any error is a FAIL."""
    errors = sum(error.count for error in report.errors)
    if errors and report.verdict is Verdict.PASS:
        reason = count_text(errors, "error")
        report = replace(report, verdict=Verdict.FAIL, reasons=(*report.reasons, reason))
    return report
