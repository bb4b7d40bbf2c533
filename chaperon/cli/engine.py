"""`chaperon engine`: the process that does a worker's work, started by its supervisor."""

from __future__ import annotations

import signal

import click
import gevent

from chaperon.cli.options import Orders
from chaperon.clock import HubClock
from chaperon.cluster.address import Address
from chaperon.cluster.joining import Identity
from chaperon.cluster.link import Connected
from chaperon.cluster.messages import Welcome
from chaperon.cluster.supervisor import bound_to_parent
from chaperon.cluster.worker import Worker
from chaperon.script.environment import Environment


@click.command(hidden=True)
@click.option("--master", required=True)
@click.option("--name", required=True)
@click.option("--incarnation", type=int, required=True)
@click.option("--capacity", type=float, default=1.0)
@click.option("--once", is_flag=True)
def engine(master: str, name: str, incarnation: int, capacity: float, once: bool) -> int:
    """Join a master for one run. `chaperon worker` starts this."""
    bound_to_parent()
    identity = Identity(name, incarnation, capacity)
    link = Connected(Address.parse(master), identity.peer)
    worker = Worker(link, identity, _furnished, HubClock())
    gevent.signal_handler(signal.SIGTERM, worker.leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = worker.run()
    if worker.told:
        click.echo(f"worker {name}: {worker.told}", err=True)
    return code


def _furnished(welcome: Welcome, content: bytes) -> Environment:
    return Orders(**welcome.recipe).environment(welcome.target)
