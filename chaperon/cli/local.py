"""`chaperon local`: one process sends the load."""

from __future__ import annotations

import click

from chaperon.cli.options import Orders, load_options
from chaperon.cli.perform import perform


@click.command(short_help="Run a load from this process.")
@click.argument("file", metavar="FILE[:NAME]")
@load_options
def local(file: str, orders: Orders) -> int:
    """Run the load of FILE from this process.

    NAME is an environment or a scenario in it; a file of @step functions alone needs none.
    """
    return perform(orders.environment(file), orders)
