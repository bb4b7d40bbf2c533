"""`chaperon local`: send a load from this machine."""

from __future__ import annotations

import click

from chaperon.cli.execute import execute, relay_of
from chaperon.cli.fleet import fleet_options, parse_processes, parse_share, worker_overrides
from chaperon.cli.option_groups import GroupedCommand, option
from chaperon.cli.options import RunOptions, load_options, target_argument
from chaperon.cli.terminal.forgiving_stream import print_failures_once_in
from chaperon.cli.terminal.lines import print_notice, print_warning
from chaperon.descriptors import enough, takes
from chaperon.errors import UsageError


@click.command(cls=GroupedCommand)
@target_argument
@option(
    "Cluster",
    "--processes",
    default="1",
    standard="1",
    metavar="N|auto",
    help="Send from N processes; auto: one per core",
)
@fleet_options
@load_options
def local(file: str, options: RunOptions, processes: str, silence: float, dead_man: float, max_lost: str) -> int:
    """Send the load of FILE from this machine.

    NAME is an environment or a scenario of FILE; a file with only @step functions needs none.
    """
    environment = options.load_environment(file, warn=print_warning)
    n, lost = parse_processes(processes), parse_share(max_lost)
    if n == 1:
        return execute(environment, options)

    if options.outputs["samples"] is not None:
        raise UsageError(
            "--samples is for one process: each of several keeps its own; leave --processes or --samples out"
        )
    enough(takes(n), f"a run of {n} processes")
    from chaperon.cluster.bundle import ScenarioBundle, split_target
    from chaperon.cluster.master.coordinator import Patience  # late: a run in one process does not need the cluster
    from chaperon.local import GATHER
    from chaperon.local import processes as worker_processes

    patience = Patience(silence, dead_man, GATHER)
    path, name = split_target(file)
    bundle = ScenarioBundle(f"{path}{name}", worker_overrides(options))
    relay = relay_of(options)
    on_event = (lambda text: None) if options.quiet else print_notice
    with worker_processes(
        n,
        environment,
        bundle,
        patience=patience,
        lost=lost,
        on_event=on_event,
        relay=relay,
        on_folder=print_failures_once_in,
    ) as running:
        return execute(environment, options, start=running.start)
