"""`chaperon worker`: this machine sends what a master deals it."""

from __future__ import annotations

import os
import signal
import socket

import click
import gevent

from chaperon.cluster.address import Address
from chaperon.errors import UsageError
from chaperon.local import crew, processors


@click.command(short_help="Join a master and send what it deals.")
@click.option("--master", required=True, metavar="ADDRESS", help="Where the master is: tcp://HOST[:PORT].")
@click.option("--processes", default="1", metavar="N|auto", help="Engine processes, auto: one for each processor (1).")
@click.option("--name", help="What this worker is called in reports (the host's name with a number).")
@click.option("--capacity", type=float, default=1.0, help="How much each process takes, 1 being the usual.")
@click.option("--once", is_flag=True, help="Leave after one run.")
def worker(master: str, processes: str, name: str | None, capacity: float, once: bool) -> int:
    """Join the master at ADDRESS, send what it deals, stay for the next run."""
    n = count_of(processes)
    if not 0.0 < capacity < float("inf"):
        raise UsageError(f"--capacity must be more than nothing, got {capacity:g}")
    address = Address.parse(master)
    called = name or f"{socket.gethostname().split('.')[0]}-{os.getpid()}"
    names = [called] if n == 1 else [f"{called}.{k}" for k in range(1, n + 1)]
    supervisor = crew(address, names, capacity=capacity, once=once, tell=_tell)
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, supervisor.leave)
    _tell(f"worker {called} looks for a master at {address}")
    return supervisor.wait()


def count_of(processes: str) -> int:
    """Read a number of processes, or "auto". Raises UsageError."""
    if processes == "auto":
        return processors()
    if not processes.isdigit() or int(processes) < 1:
        raise UsageError(f"--processes takes a number or auto, got {processes!r}")
    return int(processes)


def _tell(text: str) -> None:
    click.echo(text, err=True)
