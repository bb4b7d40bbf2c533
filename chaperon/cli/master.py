"""`chaperon master`: many workers send one load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from chaperon.cli.options import SPAN, Orders, load_options
from chaperon.cli.perform import perform
from chaperon.cluster.address import PORT, Address
from chaperon.cluster.link import Bound
from chaperon.cluster.master import Fleet, Parcel, Patience
from chaperon.errors import UsageError

_OPTIONS = (
    click.option("--silence", type=SPAN, default=10.0, help="A worker unheard of for so long is given up (10s)."),
    click.option("--dead-man", type=SPAN, default=30.0, help="Workers without a master stop after this (30s)."),
    click.option("--max-lost", default="1%", metavar="SHARE", help="More visits lost make the run INVALID (1%)."),
)


def fleet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of every run on several workers."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command(short_help="Conduct a run of many workers.")
@click.argument("file", metavar="FILE[:NAME]")
@click.option("--bind", default=f"tcp://127.0.0.1:{PORT}", metavar="ADDRESS", help="Where workers find this master.")
@click.option("--workers", type=click.IntRange(1), required=True, help="How many to wait for.")
@click.option("--gather", type=SPAN, help="Wait for them at most so long (for ever).")
@fleet_options
@load_options
def master(
    file: str,
    orders: Orders,
    bind: str,
    workers: int,
    gather: float | None,
    silence: float,
    dead_man: float,
    max_lost: str,
) -> int:
    """Wait for workers, deal the load of FILE among them, start all at one moment, report as one.

    NAME is an environment or a scenario in it; a file of @step functions alone needs none.
    """
    environment = orders.environment(file)
    link = Bound(Address.parse(bind))
    click.echo(f"the master is at {link.address}", err=True)
    fleet = Fleet(
        environment,
        link,
        parcel_of(file, orders),
        workers=workers,
        patience=Patience(silence, dead_man, gather),
        lost=share_of(max_lost),
        tell=lambda text: click.echo(text, err=True),
    )
    return perform(environment, orders, start=fleet.start)


def parcel_of(file: str, orders: Orders) -> Parcel:
    """Return what workers need to make the same environment of the same file."""
    path = Path(file)
    if not path.exists() and ":" in file:
        place, _, name = file.rpartition(":")
        return Parcel(f"{Path(place).resolve()}:{name}", _recipe(orders))
    return Parcel(str(path.resolve()), _recipe(orders))


def _recipe(orders: Orders) -> dict[str, Any]:
    return {**asdict(orders), "json": None, "log": None, "quiet": True}


def share_of(text: str) -> float:
    """Read a share such as 1% or 0.01. Raises UsageError."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise UsageError(f"{text!r} is not a share: write 1% or 0.01")
    return value
