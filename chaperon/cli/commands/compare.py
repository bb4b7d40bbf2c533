"""`chaperon compare`: say what changed between runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich import box
from rich.markup import escape
from rich.table import Table

from chaperon import exit_codes
from chaperon.cli.comparison_outputs import (
    comparison_options,
    probe_comparison_outputs,
    write_comparison,
)
from chaperon.cli.option_groups import GroupedCommand, argument, option
from chaperon.cli.terminal.lines import print_line
from chaperon.cli.terminal.printing import printing, stdout_is_reserved, table_console, unfiltered_stdout
from chaperon.cli.terminal.sentences import print_sentence
from chaperon.errors import UsageError
from chaperon.report.comparison.as_markdown import HEADER, sign_of, table_of_series
from chaperon.report.comparison.comparison import Comparison
from chaperon.report.comparison.comparison import compare as compare_runs
from chaperon.report.comparison.figure import parse_margins
from chaperon.report.comparison.noise_floor import NoiseFloor, noise_floor, noise_floor_dict
from chaperon.report.outputs.file_output import write_text
from chaperon.report.outputs.json import json_text

SEPARATOR = "\0"
"""Stands for `--` between two groups of runs while click parses: no path has it."""


class TwoGroupsCommand(GroupedCommand):
    """A command whose arguments `--` separates into two groups, without ending its options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments with every `--` kept among them."""
        return super().parse_args(ctx, [SEPARATOR if arg == "--" else arg for arg in args])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the words of the usage line."""
        return ["[OPTIONS]", "A B | A1 A2 A3 -- B1 B2 B3 | --aa A1 A2 A3"]


@click.command(cls=TwoGroupsCommand)
@argument("files", nargs=-1, metavar="FILE…")
@option("Run", "--phase", metavar="NAME", standard="steady, if all have it", help="Compare this phase of the load.")
@option(
    "Run", "--aa", is_flag=True, help="All runs are of one build: say what they differ by, and which margin to use."
)
@option("Limits", "--gate", "gates", multiple=True, metavar="FIGURE", help="This decides, such as 'p95(GET /)'.")
@option("Limits", "--margin", "margins", multiple=True, metavar="FIGURE=SHARE", help="Allow this, such as p95=10%.")
@option("Limits", "--strict", is_flag=True, help="A figure that decides and is UNKNOWN fails.")
@option("Output", "--quiet", is_flag=True, help="Print no table of the figures that decide nothing.")
@comparison_options
def compare(
    files: tuple[str, ...],
    phase: str | None,
    aa: bool,
    gates: tuple[str, ...],
    margins: tuple[str, ...],
    strict: bool,
    quiet: bool,
    **outputs: Any,
) -> int:
    """Say whether B is slower than A, or has more errors: two run files, or three or more a side.

    By default p50, p95, p99 and errors of all requests decide. Exit code 0: none of them is slower; 4: one is;
    5: the runs cannot be compared; 1: an output could not be written. What is UNKNOWN fails with --strict only.
    """
    probe_comparison_outputs(outputs)
    err = stdout_is_reserved()
    allowed = parse_margins(margins)
    if aa:
        given = [name for name, value in outputs.items() if value and name != "json_path"]
        if given:
            raise UsageError(f"--aa is written as JSON only: leave --{given[0].removesuffix('_path')} out")
        floor = noise_floor([file for file in files if file != SEPARATOR], gates=gates, margins=allowed, phase=phase)
        if (path := outputs["json_path"]) is not None:
            write_text(path, json_text(noise_floor_dict(floor), path), stdout=unfiltered_stdout)
        _print_floor(floor, err=err)
        return floor.exit_code
    first, second = groups_of(files)
    found = compare_runs(first, second, gates=gates, margins=allowed.own, phase=phase, strict=strict)
    written = write_comparison(found, outputs)
    print_comparison(found, quiet=quiet, err=err)
    return found.exit_code if written else exit_codes.FAULT


def _print_floor(floor: NoiseFloor, *, err: bool) -> None:
    with printing(err=err):
        for sentence in (*(each.sentence for each in floor.figures), *floor.refused, *floor.warnings):
            print_sentence("- ", sentence, err=err)
        if floor.refused:
            print_line("NOT COMPARABLE", err=err)


def groups_of(files: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the two groups of runs that *files* names. Raises UsageError."""
    if files.count(SEPARATOR) == 1:
        place = list(files).index(SEPARATOR)
        first, second = list(files[:place]), list(files[place + 1 :])
    elif len(files) == 2 and SEPARATOR not in files:
        first, second = [files[0]], [files[1]]
    else:
        raise UsageError("give two run files, A B, or two groups of them: A1 A2 A3 -- B1 B2 B3")
    if not first or not second:
        raise UsageError("no run is given on one side of --: A1 A2 A3 -- B1 B2 B3")
    return first, second


def print_comparison(found: Comparison, *, quiet: bool, err: bool) -> None:
    """Print what decides in sentences, what decides nothing in a table, the word last."""
    rows, rest = table_of_series(found)
    if rows and not quiet:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for place, name in enumerate(HEADER):
            table.add_column(name, justify="left" if place in (0, 4) else "right", no_wrap=place > 0, overflow="fold")
        for row in rows:
            table.add_row(*map(escape, row))
        with table_console(err=err) as console:
            console.print(table)
    with printing(err=err):
        for line in () if quiet else rest:
            print_line(line, err=err)
        for change in found.gated:
            print_sentence(f"{sign_of(change)} ", change.sentence, err=err)
        for sentence in (*found.refused, *found.warnings):
            print_sentence("- ", sentence, err=err)
        print_line(found.word, err=err)
