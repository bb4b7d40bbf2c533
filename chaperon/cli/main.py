"""The command `chaperon` with its subcommands."""

from __future__ import annotations

import errno
import os
import signal
import sys
from importlib import import_module

import click

from chaperon import exit_codes
from chaperon._version import VERSION, version_text
from chaperon.cli.ending.signals import interruptible_setup
from chaperon.cli.foreign_words import near_command
from chaperon.cli.option_groups import HelpfulCommand
from chaperon.cli.terminal.lines import print_error, print_line
from chaperon.cli.terminal.standard_streams import clean_standard_streams, discard_stdout
from chaperon.cluster.transport.key_variables import remove_key
from chaperon.errors import (
    ChaperonError,
    ClusterError,
    LimitError,
    LoadError,
    NotPatched,
    PlanError,
    StandardStreamClosed,
    UsageError,
)
from chaperon.gc_tuning import resume_gc
from chaperon.measure.exception_text import describe

COMMANDS = {
    "check": "Run one visit and print it as it happens.",
    "compare": "Say whether one run is slower than another.",
    "demo": "Run a sample scenario against a small target included in Chaperon.",
    "find": "Find the highest rate at which every limit holds.",
    "history": "List the runs of a folder and mark those that became slower.",
    "import": "Make a scenario file of a source of another tool.",
    "keygen": "Write the keys of a master and its workers.",
    "local": "Send a load from this machine.",
    "ls": "List the contents of a scenario file.",
    "master": "Send a load from many workers.",
    "new": "Write a first scenario file.",
    "page": "Start runs from a browser, or look at one that was kept.",
    "plan": "Show what a load would send; send nothing.",
    "report": "Make the report of a run again from its run file.",
    "worker": "Join a master and send its shares of the load.",
}
"""Each is defined in `cli.commands`, in a module that is imported when the command runs."""

UNLISTED = ("engine",)
"""Commands that `--help` does not list."""

UNPRINTABLE = (errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC)
"""Errors of standard output, of which the environment is the cause."""

PLACES = {"engine": "worker_process:engine", "import": "import_source:import_command"}
"""The modules and functions of commands whose module and function do not have their name."""


class Commands(HelpfulCommand, click.Group):
    """The subcommands. Only the requested one is imported: importing the cluster takes long."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names that `--help` lists."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command, None if there is none of that name."""
        if cmd_name not in COMMANDS and cmd_name not in UNLISTED:
            return None
        module, _, function = PLACES.get(cmd_name, f"{cmd_name}:{cmd_name}").partition(":")
        command: click.Command = getattr(import_module(f"chaperon.cli.commands.{module}"), function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that *args* begin with. Raises UsageError, which names one that may be meant."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            meant = near_command(name, COMMANDS)
            hint = f"did you mean chaperon {meant}?" if meant else "chaperon --help lists the commands"
            raise UsageError(f"no command {name!r}: {hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. Raises click.Abort where a signal ended it, with the words for that."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as exc:  # click would print an empty line
            raise click.Abort(str(exc)) from exc

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.version_option(VERSION, prog_name="chaperon", message=version_text())
@click.pass_context
def chaperon(context: click.Context) -> None:
    """Load tests for HTTP and WebSocket services, in plain Python."""
    resume_gc()  # the module of the command is imported
    context.obj = remove_key(os.environ)  # before a command runs code of a scenario
    if context.invoked_subcommand is None:
        for line in context.get_help().splitlines():
            print_line(line)
        context.exit(exit_codes.USAGE)


def main() -> None:
    """Run the command line and exit with its code."""
    clean_standard_streams()
    try:
        with interruptible_setup(even_ignored=False):
            code = chaperon.main(standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.ClickException as exc:
        context = getattr(exc, "ctx", None)
        where = f"; {context.command_path} --help says more" if context else ""
        words = exc.format_message().split()  # choices stand on lines of their own
        print_error(f"{' '.join(words).rstrip('.')}{where}")
        code = exc.exit_code
    except (click.Abort, KeyboardInterrupt) as exc:
        if str(exc):
            print_error(str(exc))
        code = exit_codes.ABORTED
    except BrokenPipeError:
        discard_stdout()
        code = exit_codes.FAULT
    except ChaperonError as exc:
        print_error(str(exc), lines=_has_lines(exc))
        code = exit_code(exc)
    except SystemExit as exc:  # of click, which completes a command for a shell, or wrote to a pipe without a reader
        if exc.code:
            discard_stdout()
        raise
    except BaseException as exc:
        if os.environ.get("CHAPERON_DEBUG"):
            raise
        if _is_unprintable(exc):
            discard_stdout()
            print_error(f"cannot print: {getattr(exc, 'strerror', '')}; redirect the output to another place")
            sys.exit(exit_codes.FAULT)
        print_error(f"an error in Chaperon: {describe(exc)} (CHAPERON_DEBUG=1 prints the traceback)")
        code = exit_codes.FAULT
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a signal from now on would replace the exit code
    sys.exit(code or 0)


def _has_lines(exc: ChaperonError) -> bool:
    """Return whether the message has further lines, which mark a position in a text with a caret."""
    return any(isinstance(each, (PlanError, LimitError)) for each in (exc, exc.__cause__))


def _is_unprintable(exc: BaseException) -> bool:
    """Return whether standard output is closed, or cannot be written for a cause that its environment has."""
    if isinstance(exc, StandardStreamClosed):
        return exc.name == "output"
    return isinstance(exc, OSError) and exc.filename is None and exc.errno in UNPRINTABLE


def exit_code(exc: ChaperonError) -> int:
    """Return the exit code of a command that *exc* ends."""
    if isinstance(exc, UsageError):
        return exit_codes.USAGE
    if isinstance(exc, ClusterError):
        return exit_codes.CLUSTER
    return exit_codes.NOT_LOADED if isinstance(exc, (LoadError, NotPatched)) else exit_codes.FAULT
