"""`chaperon check`: one visit, told as it happens."""

from __future__ import annotations

from dataclasses import replace

import click

from chaperon.cli.options import Orders, load_options
from chaperon.cli.perform import perform
from chaperon.measure.sample import Sample
from chaperon.report.masking import masked
from chaperon.report.text import number_text, time_text
from chaperon.script.environment import ONE_VISIT


@click.command()
@click.argument("file", metavar="FILE[:NAME]")
@load_options
def check(file: str, orders: Orders) -> int:
    """Run one visit of every entry of FILE, and print each request, step and error as it happens."""
    environment = orders.environment(file)
    once = replace(environment, scenarios=[replace(e, load=ONE_VISIT) for e in environment.entries], limits=())
    return perform(once, orders, tap=_tell, live=False)


def _tell(sample: Sample) -> None:
    """Print one sample: its mark, its time or value, its name, what went wrong."""
    failure = sample.failure
    mark = click.style("ok  ", fg="green") if failure is None else click.style("FAIL", fg="red")
    figure = time_text(sample.took) if sample.value is None else number_text(sample.value)
    line = f"{mark} {figure:>10}  {masked(sample.key.name)}"
    if sample.bytes:
        line += f"  {sample.bytes:,} B"
    if failure is not None:
        line += f"  {failure.error}: {masked(failure.message)}" if failure.listed else f"  {failure.error}"
    click.echo(line)
