"""`chaperon worker`: send shares of a load for a master."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping

import click
import gevent

from chaperon.cli.fleet import key_option, parse_processes
from chaperon.cli.option_groups import GroupedCommand, option
from chaperon.cli.spans import SPAN
from chaperon.cli.terminal.lines import print_notice
from chaperon.cluster.transport.address import PORT, Address
from chaperon.cluster.transport.key_files import choose_key, find_key
from chaperon.cluster.transport.keys import WorkerKey
from chaperon.descriptors import enough, takes
from chaperon.errors import UsageError
from chaperon.local import start_workers
from chaperon.measure.plain_text import LABEL, encodable
from chaperon.measure.quantity import count_text


@click.command(cls=GroupedCommand)
@option("Cluster", "--master", required=True, metavar="ADDRESS", help=f"Address of the master: tcp://HOST[:{PORT}].")
@option(
    "Cluster", "--processes", default="1", standard="1", metavar="N|auto", help="Start N processes, auto: one per core."
)
@option("Cluster", "--name", standard="the host's name with a number", help="Name of this worker in reports.")
@option("Cluster", "--capacity", type=float, default=1.0, show_default=True, help="Weight of each process in the load.")
@key_option("The file worker.key.")
@option("Cluster", "--no-key", is_flag=True, help="Run code that any user of this machine sends as a master.")
@option("Cluster", "--no-ship", "own", metavar="FILE[:NAME]", help="Use this file; refuse if the master's differs.")
@option("Cluster", "--once", is_flag=True, help="Exit after one run.")
@option(
    "Cluster",
    "--wait",
    "patience",
    type=SPAN,
    standard="no limit, with --once 60s",
    help="Wait for a master so long.",
)
@click.pass_obj
def worker(
    variables: Mapping[str, str],
    master: str,
    processes: str,
    name: str | None,
    capacity: float,
    key: str | None,
    no_key: bool,
    own: str | None,
    once: bool,
    patience: float | None,
) -> int:
    """Join the master at ADDRESS, send shares of its load, then wait for the next run."""
    n = parse_processes(processes)
    if not 0.0 < capacity < float("inf"):
        raise UsageError(f"--capacity must be more than 0, got {capacity:g}")
    enough(takes(n), f"a worker of {count_text(n, 'process', 'processes')}")
    address = Address.parse(master)
    if not address.reachable:
        raise UsageError(f"{master!r} is where a master listens: give its host and port, as the master prints them")
    if not (address.loopback or no_key or find_key(key, variables, WorkerKey)):
        raise UsageError(
            f"to join {address}, which is not this machine, a worker needs the key of its master: give "
            "--key keys/worker.key, a copy of the file that chaperon keygen keys has made there"
        )
    key_found = choose_key(key, variables, WorkerKey, address, "join", without=no_key)
    if key_found is None:
        print_notice(
            f"WARNING: no key (--no-key): any user of this machine who listens at {address} can run code as you"
        )
    label = encodable(name or f"{socket.gethostname().split('.')[0]}-{os.getpid()}", LABEL)
    supervisor = start_workers(
        address,
        [label] if n == 1 else [f"{label}.{k}" for k in range(1, n + 1)],
        capacity=capacity,
        key=key_found if isinstance(key_found, WorkerKey) else None,
        own=own,
        once=once,
        patience=60.0 if once and patience is None else patience,
        announce=True,
        notify=print_notice,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, supervisor.leave)
    print_notice(f"worker {label} looks for a master at {address}")
    return supervisor.wait()
