"""`chaperon history`: the run files of a folder as a table of runs."""

from __future__ import annotations

from pathlib import Path

import click
from rich import box
from rich.markup import escape
from rich.table import Table

from chaperon.cli.option_groups import GroupedCommand, argument, option
from chaperon.cli.terminal.lines import print_warning
from chaperon.cli.terminal.printing import printing, stdout_is_reserved, table_console, unfiltered_stdout
from chaperon.cli.terminal.sentences import print_sentence
from chaperon.errors import UsageError
from chaperon.report.comparison.figure import parse_margins
from chaperon.report.comparison.run_history import (
    KeptRun,
    history_csv,
    history_dict,
    history_markdown,
    history_row,
    kept_runs,
    read_folder,
)
from chaperon.report.outputs.file_output import probe, write_text
from chaperon.report.outputs.json import json_text

COLUMNS = ("run", "verdict", "load", "rate/s", "p50", "p95", "err %", "deff")
"""Those of the table: a run has two lines, so that it fits 80 columns."""
TEXTS = 3
"""The first columns have text, the others figures."""


@click.command(cls=GroupedCommand)
@argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@option("Limits", "--margin", "margins", multiple=True, metavar="FIGURE=SHARE", help="Allow this, such as p95=10%.")
@option("Output", "--json", "json_path", metavar="FILE|-", help="Write the runs as JSON; - is standard output.")
@option("Output", "--markdown", metavar="FILE|-", help="Write the table as Markdown.")
@option("Output", "--csv", "csv_path", metavar="FILE|-", help="Write the runs as CSV, one row a run.")
def history(
    folder: Path, margins: tuple[str, ...], json_path: str | None, markdown: str | None, csv_path: str | None
) -> int:
    """List the runs of all run files in DIR, the newest last.

    A run is marked if p50, p95, p99 or errors of all its requests are worse than in the three comparable runs
    before it, by more than the margin, as `chaperon compare` decides.
    """
    paths = [path for path in (json_path, markdown, csv_path) if path is not None]
    for path in paths:
        probe(path)
    runs = list(kept_runs(read_folder(folder, print_warning), parse_margins(margins), print_warning))
    if not runs:
        raise UsageError(f"{folder} has no run file: --run-file writes one")
    if json_path is not None:
        write_text(json_path, json_text(history_dict(runs), json_path), stdout=unfiltered_stdout)
    if markdown is not None:
        write_text(markdown, history_markdown(runs), stdout=unfiltered_stdout)
    if csv_path is not None:
        write_text(csv_path, history_csv(runs), stdout=unfiltered_stdout)
    _print_runs(runs, err=stdout_is_reserved())
    return 0


def _print_runs(runs: list[KeptRun], *, err: bool) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, name in enumerate(COLUMNS):
        table.add_column(name, justify="left" if place < TEXTS else "right", overflow="fold")
    for run in runs:
        started, name, verdict, load, *figures, mark = map(escape, history_row(run))
        table.add_row(name, verdict, load, *figures)
        table.add_row(started, mark)
    with table_console(err=err) as console:
        console.print(table)
    with printing(err=err):
        for run in runs:
            for change in run.slower_changes:
                print_sentence("✕ ", f"{run.path.name}: {change.sentence}", err=err)
