"""`chaperon engine`: the process that does a worker's work, started by its supervisor."""

from __future__ import annotations

import signal
from pathlib import Path

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
@click.option("--journal", type=click.Path(path_type=Path))
def engine(master: str, name: str, incarnation: int, capacity: float, once: bool, journal: Path | None) -> int:
    """Join a master for one run. `chaperon worker` starts this."""
    bound_to_parent()
    identity = Identity(name, incarnation, capacity)
    link = Connected(Address.parse(master), identity.peer)
    worker = Worker(link, identity, _furnished, HubClock(), journal=journal, tell=_tell)
    gevent.signal_handler(signal.SIGTERM, worker.leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = worker.run()
    if worker.told:
        _tell(f"worker {name}: {worker.told}")
    return code


def _tell(text: str) -> None:
    click.echo(text, err=True)


def _furnished(welcome: Welcome, content: bytes) -> Environment:
    return Orders(**welcome.recipe).environment(welcome.target)
