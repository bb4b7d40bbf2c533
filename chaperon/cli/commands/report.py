"""`chaperon report`: make the report of a run again from its run file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

import click

from chaperon.cli.execute import write_report
from chaperon.cli.live_page.options import PAGE_OPTIONS
from chaperon.cli.option_groups import GroupedCommand, argument, option
from chaperon.cli.outputs import OUTPUT_NAMES, make_outputs, output_options, probe_outputs
from chaperon.cli.recorded_report import recorded_report
from chaperon.cli.spans import SPAN
from chaperon.errors import UsageError
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.report.run_file.run_file import read_run


@lazy_dataclass(frozen=True)
class ReportOptions:
    """The values of the options that outputs are made of."""

    by: tuple[str, ...] = ()
    merge: bool = False
    quiet: bool = False
    outputs: Mapping[str, Any] = field(default_factory=dict)


@click.command(
    cls=GroupedCommand,
    refused=("samples", "metrics", "metrics_at", *PAGE_OPTIONS),
    reason="a run that has ended has no metrics to be scraped, and its file no single samples; "
    "`chaperon page` shows it in a browser",
)
@argument("files", metavar="FILE", nargs=-1, required=True)
@option("Run", "--from", "start", type=SPAN, standard="0s", help="Leave out what was before this second of the run.")
@option("Run", "--to", "end", type=SPAN, standard="its end", help="Leave out what was from this second of the run on.")
@option("Run", "--phase", metavar="NAME", help="Report this phase of the load alone, such as steady.")
@option("Run", "--probe", type=click.IntRange(1), help="Report run N of a file of `chaperon find`, from 1.")
@option("Limits", "--limit", "limits", multiple=True, help="Judge by this limit in place of the run's. Repeatable.")
@option("Limits", "--strict", is_flag=True, help="Errors that no limit covers are a FAIL.")
@option("Output", "--by", multiple=True, metavar="phase|TAG", help="Split the table by phase, or by a tag.")
@option("Output", "--merge", is_flag=True, help="Add up series of one name in several entries, in the table.")
@option("Output", "--quiet", is_flag=True, help="Print the verdict only: no table.")
@output_options
def report(
    files: tuple[str, ...],
    start: float | None,
    end: float | None,
    phase: str | None,
    probe: int | None,
    limits: tuple[str, ...],
    strict: bool,
    by: tuple[str, ...],
    merge: bool,
    quiet: bool,
    **values: Any,
) -> int:
    """Make the report of a run again from FILE, which --run-file wrote; whole, or a stretch of it.

    The exit code is that of the verdict, by the limits of the run or by those given here.
    """
    if len(files) > 1:
        raise UsageError("give one run file: `chaperon compare A B` compares runs, `chaperon history DIR` lists them")
    (file,) = files
    options = ReportOptions(by, merge, quiet, {name: values[name] for name in OUTPUT_NAMES})
    run = read_run(file).run(probe)
    probe_outputs(options)
    outputs = make_outputs(options)
    made = recorded_report(run, outputs, from_=start or 0.0, to=end, phase=phase, limits=limits or None, strict=strict)
    return write_report(made, outputs, options)
