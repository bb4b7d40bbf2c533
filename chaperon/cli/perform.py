"""From an environment to an exit code: what every command that runs a load does."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from rich.console import Console

from chaperon.cli.ends import minded, starting, unhurried
from chaperon.cli.live import Live
from chaperon.cli.options import Orders
from chaperon.cli.streams import Told, give_up_stdout
from chaperon.errors import OutputError
from chaperon.measure.sample import Sample
from chaperon.report.records import write_json
from chaperon.report.redaction import redacted
from chaperon.report.summary import Report
from chaperon.report.text import print_report
from chaperon.script.environment import Environment

if TYPE_CHECKING:
    from chaperon.cli.ends import Run

PIPED = 140
"""Columns where there is no terminal to ask."""


def deliver(report: Report, orders: Orders) -> int:
    """Write the JSON, print the table, whatever happens to the other; return the exit code."""
    code = report.verdict.exit_code
    try:
        if orders.json:
            write_json(report, orders.json)
    except OutputError as exc:
        click.echo(f"chaperon: {exc}", err=True)
        code = 1
    if sys.stdout is None:
        click.echo("chaperon: cannot print the table: standard output is closed", err=True)
        return 1
    try:
        if orders.quiet:
            click.echo("\n  ".join([report.verdict.value, *map(redacted, report.reasons)]))
        else:
            print_report(report, Console(width=None if sys.stdout.isatty() else PIPED), orders.by)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as exc:
        click.echo(f"chaperon: cannot print the table: {exc.strerror}", err=True)
        give_up_stdout()
        code = 1
    return code


def perform(
    environment: Environment,
    orders: Orders,
    *,
    tap: Callable[[Sample], None] | None = None,
    live: bool = True,
    outputs: Callable[[Report, Orders], int] = deliver,
    start: Callable[[], Run] | None = None,
) -> int:
    """Run it, here unless *start* says otherwise, show it, write every output; return the exit code.

    Raises LoadError, TeardownError, and what *start* raises.
    """
    prepare(environment, orders)
    with starting():
        started = start() if start else environment.start(tap)
    with started as running:
        try:
            with minded(running), Live(running, shown=live and not orders.quiet):
                running.wait()
        except KeyboardInterrupt:  # asked for the third time: write what is known, then wait no longer than it takes
            pass
        with unhurried():
            code = outputs(running.report(), orders)
    if running.teardown_error is not None:
        raise running.teardown_error
    return code


def prepare(environment: Environment, orders: Orders) -> None:
    """Set up logging and warnings as ordered."""
    if orders.log:
        told = Told()
        told.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logger = logging.getLogger("chaperon")
        logger.handlers = [told]
        logger.setLevel(orders.log.upper())
    if not all(service.verify for service in environment.targets.values()):
        warnings.filterwarnings("ignore", message="Unverified HTTPS request")  # it was asked for
