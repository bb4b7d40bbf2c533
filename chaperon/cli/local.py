"""`chaperon local`: this machine sends the load."""

from __future__ import annotations

import click

from chaperon.cli.execute import execute
from chaperon.cli.fleet import count_of, fleet_options, share_of, worker_overrides
from chaperon.cli.options import RunOptions, load_options, target_argument
from chaperon.cli.terminal.streams import warn
from chaperon.descriptors import enough, takes


@click.command()
@target_argument
@click.option("--processes", "count", default="1", metavar="N|auto", help="Send from so many processes (1).")
@fleet_options
@load_options
def local(file: str, orders: RunOptions, count: str, silence: float, dead_man: float, max_lost: str) -> int:
    """Run the load of FILE from this machine.

    NAME is an environment or a scenario in it; a file of @step functions alone needs none.
    """
    environment = orders.environment(file, warn=warn)
    n = count_of(count)
    if n == 1:
        return execute(environment, orders)

    enough(takes(n), f"a run of {n} processes")
    from chaperon.cluster.bundle import ScenarioBundle, split
    from chaperon.cluster.master.coordinator import Patience  # late: one process needs none of it
    from chaperon.local import GATHER, processes

    patience = Patience(silence, dead_man, GATHER)
    path, name = split(file)
    parcel = ScenarioBundle(f"{path}{name}", worker_overrides(orders))
    with processes(n, environment, parcel, patience=patience, lost=share_of(max_lost)) as running:
        return execute(environment, orders, start=running.start)
