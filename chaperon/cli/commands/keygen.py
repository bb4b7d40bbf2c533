"""`chaperon keygen`: write the keys of a master and its workers."""

from __future__ import annotations

from pathlib import Path

import click

from chaperon.cli.option_groups import GroupedCommand
from chaperon.cli.terminal.lines import print_line
from chaperon.cluster.transport.key_files import write_pair


@click.command(cls=GroupedCommand)
@click.argument("folder", metavar="DIR", default="keys", type=click.Path(file_okay=False, path_type=Path))
def keygen(folder: Path) -> int:
    """Write master.key and worker.key to DIR [default: keys], readable only by you.

    Copy worker.key to every worker. With it a machine can join a master, but cannot act as one.
    """
    master, worker = write_pair(folder)
    print_line(f"wrote {master}: for chaperon master --key {master}")
    print_line(f"wrote {worker}: for chaperon worker --key {worker}, on every machine that sends")
    return 0
