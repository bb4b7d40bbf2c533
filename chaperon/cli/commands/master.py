"""`chaperon master`: send one load from many workers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import click

from chaperon.cli.execute import execute, relay_of
from chaperon.cli.fleet import fleet_options, key_option, parse_share, worker_overrides
from chaperon.cli.option_groups import GroupedCommand, option
from chaperon.cli.options import RunOptions, load_options, target_argument
from chaperon.cli.spans import SPAN
from chaperon.cli.terminal.forgiving_stream import print_failures_once_in
from chaperon.cli.terminal.lines import print_notice, print_warning
from chaperon.cluster.bundle import OpenedFiles, bundle_files, pack_bundle, split_target
from chaperon.cluster.master.coordinator import Patience
from chaperon.cluster.master.embedded import open_master
from chaperon.cluster.transport.address import PORT, Address
from chaperon.cluster.transport.key_files import choose_key
from chaperon.cluster.transport.keys import MasterKey
from chaperon.descriptors import enough, takes
from chaperon.local import start_workers
from chaperon.measure.quantity import count_text


@click.command(cls=GroupedCommand, refused=("samples",), reason="samples stay on the workers that measure them")
@target_argument
@option(
    "Cluster", "--bind", default=f"tcp://127.0.0.1:{PORT}", show_default=True, metavar="ADDRESS", help="Listen here."
)
@option("Cluster", "--workers", type=click.IntRange(1), required=True, help="Start when this many workers are ready.")
@option("Cluster", "--gather", type=SPAN, standard="no limit", help="Wait for workers for at most this span.")
@key_option("The file master.key.")
@option("Cluster", "--no-key", is_flag=True, help="Let any user of this machine join and read the scenario.")
@option(
    "Cluster",
    "--ship",
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Send PATH to workers.",
)
@option("Cluster", "--work", is_flag=True, help="Start one of the workers on this machine.")
@fleet_options
@load_options
@click.pass_obj
def master(
    variables: Mapping[str, str],
    file: str,
    options: RunOptions,
    bind: str,
    workers: int,
    gather: float | None,
    key: str | None,
    no_key: bool,
    ship: tuple[Path, ...],
    work: bool,
    silence: float,
    dead_man: float,
    max_lost: str,
) -> int:
    """Wait for workers, divide the load of FILE among them, start them together, print one report.

    NAME is an environment or a scenario of FILE; a file with only @step functions needs none. Workers
    receive FILE with the package it belongs to, or with the files beside it that it reads.
    """
    enough(takes(workers), f"a master of {count_text(workers, 'worker')}")
    address = Address.parse(bind)
    key_found = choose_key(key, variables, MasterKey, address, "bind", without=no_key)
    with OpenedFiles() as opened:
        environment = options.load_environment(file, warn=print_warning)
    lost = parse_share(max_lost)
    bundle = pack_bundle(file, worker_overrides(options), bundle_files(split_target(file)[0], opened.paths, ship))
    master_key, worker_key = key_found.with_own_worker() if isinstance(key_found, MasterKey) else (None, None)
    cluster_run, bound = open_master(
        environment,
        bundle,
        address=address,
        key=master_key,
        workers=workers,
        patience=Patience(silence, dead_man, gather),
        lost=lost,
        notify=print_notice,
    )
    with ExitStack() as stack:
        if work:
            own_worker = start_workers(
                bound.local,
                ["master"],
                key=worker_key,
                notify=print_notice,
                relay=relay_of(options),
                on_folder=print_failures_once_in,
            )
            stack.callback(own_worker.end)
        return execute(environment, options, start=cluster_run.start)
