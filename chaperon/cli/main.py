"""The command `chaperon` with its subcommands."""

from __future__ import annotations

import errno
import os
import signal
import sys

import click

from chaperon._version import VERSION
from chaperon.cli.check import check
from chaperon.cli.demo import demo
from chaperon.cli.engine import engine
from chaperon.cli.find import find
from chaperon.cli.keygen import keygen
from chaperon.cli.local import local
from chaperon.cli.ls import ls
from chaperon.cli.master import master
from chaperon.cli.new import new
from chaperon.cli.plan import plan
from chaperon.cli.streams import give_up_stdout
from chaperon.cli.worker import worker
from chaperon.errors import ChaperonError, ClusterError, LoadError, NotPatched, UsageError


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.version_option(VERSION, prog_name="chaperon")
@click.pass_context
def chaperon(context: click.Context) -> None:
    """Load tests for HTTP and WebSocket services, in plain Python."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        context.exit(2)


for command in (local, find, master, worker, engine, keygen, check, demo, ls, new, plan, find):
    chaperon.add_command(command)


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        code = chaperon.main(standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.ClickException as exc:
        context = getattr(exc, "ctx", None)
        where = f"; {context.command_path} --help says more" if context else ""
        click.echo(f"chaperon: {exc.format_message().rstrip('.')}{where}", err=True)
        code = exc.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        give_up_stdout()
        code = 1
    except ChaperonError as exc:
        click.echo(f"chaperon: {exc}", err=True)
        code = exit_code(exc)
    except Exception as exc:
        if os.environ.get("CHAPERON_DEBUG"):
            raise
        if isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EIO) and exc.filename is None:
            give_up_stdout()
            fault = f"cannot print: {exc.strerror}; send the output elsewhere"
            click.echo(f"chaperon: {fault}", err=True)
            sys.exit(1)
        fault = f"{type(exc).__name__}: {exc}"
        click.echo(f"chaperon: a fault of its own: {fault} (CHAPERON_DEBUG=1 shows where)", err=True)
        code = 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # one that comes now would take the place of the exit code
    sys.exit(code or 0)


def exit_code(exc: ChaperonError) -> int:
    """Return what a command that ends with *exc* exits with."""
    if isinstance(exc, UsageError):
        return 2
    if isinstance(exc, ClusterError):
        return 6
    return 3 if isinstance(exc, (LoadError, NotPatched)) else 1
