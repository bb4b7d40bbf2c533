"""From an environment to an exit code: what every command that runs a load does."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

import click
from rich.console import Console

from chaperon.cli.ends import minded
from chaperon.cli.live import Live
from chaperon.cli.options import Orders
from chaperon.errors import OutputError
from chaperon.measure.sample import Sample
from chaperon.report.records import write_json
from chaperon.report.summary import Report
from chaperon.report.text import print_report
from chaperon.script.environment import Environment


PIPED = 140
"""Columns where there is no terminal to ask."""


def perform(
    environment: Environment,
    orders: Orders,
    *,
    tap: Callable[[Sample], None] | None = None,
    live: bool = True,
) -> int:
    """Run it, show it, write every output; return the exit code."""
    prepare(orders)
    with environment.start(tap) as running, minded(running), Live(running, shown=live and not orders.quiet):
        running.wait()
    return deliver(running.report(), orders)


def prepare(orders: Orders) -> None:
    """Set up logging and warnings as ordered."""
    if orders.log:
        logging.basicConfig(level=orders.log.upper(), format="%(levelname)s %(message)s", stream=sys.stderr)
    if orders.insecure:
        import urllib3  # late: only here is its warning noise, and it brings ssl

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


def deliver(report: Report, orders: Orders) -> int:
    """Write the JSON, print the table, whatever happens to the other; return the exit code."""
    code = report.verdict.exit_code
    try:
        if orders.json:
            write_json(report, orders.json)
    except OutputError as exc:
        click.echo(f"chaperon: {exc}", err=True)
        code = 1
    try:
        if orders.quiet:
            click.echo("\n  ".join([report.verdict.value, *report.reasons]))
        else:
            print_report(report, Console(width=None if sys.stdout.isatty() else PIPED))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as exc:
        click.echo(f"chaperon: cannot print the table: {exc.strerror}", err=True)
        code = 1
    return code
