"""Options that `--help` lists in groups with their defaults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from contextlib import ExitStack
from typing import Any

import click
from click.core import ParameterSource

from chaperon.cli.config_table import print_config
from chaperon.cli.foreign_words import foreign_options
from chaperon.cli.grouped_option import SHOWN, UNBROKEN, GroupedArgument, GroupedOption
from chaperon.cli.output_collisions import refuse_collisions
from chaperon.cli.settings import drop_displaced, load_settings
from chaperon.cli.terminal.lines import print_line, print_warning
from chaperon.cli.terminal.printing import STDERR, STDOUT, stream_reserved
from chaperon.errors import UsageError
from chaperon.report.output_parts.output_file import descriptor_of

GROUPS = ("Run", "Load", "Target", "Limits", "Output", "Cluster", "Trust", "Other")
"""The headings of `--help`, in order."""

WIDEST = 26
"""Characters of an option with its value beside which its help is written; below a wider one it begins a new line."""

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


STANDARD_INPUT = "/dev/stdin"
STREAMS = {STDOUT: "output", STDERR: "error"}
"""The names of the standard streams that an output can be written to, by descriptor."""


class HelpfulCommand(click.Command):
    """A command that prints its help line by line: a clean stream indents all but the first line of one text."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return the option `--help`."""
        found = super().get_help_option(ctx)
        if found is not None:
            found.callback = _print_help
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words of a command line. Raises UsageError with our names of options of other tools."""
        words = list(args)
        # click reads "-:NAME", an environment of the scenario on standard input, as options
        args = [f"{STANDARD_INPUT}{word[1:]}" if word.startswith("-:") else word for word in args]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption:
            own = {name for each in self.get_params(ctx) for name in (*each.opts, *each.secondary_opts)}
            if hint := foreign_options(words, own):
                raise UsageError(hint) from None
            raise


class GroupedCommand(HelpfulCommand):
    """A command whose `--help` lists options by group.

    *ignored* and *refused* name options of other commands that this one does not use and its help does not
    list: an ignored one, which a command line for `chaperon local` may have, causes a warning, a refused one a
    UsageError. *reason* completes the message.
    """

    def __init__(
        self,
        *args: Any,
        ignored: Collection[str] = (),
        refused: Collection[str] = (),
        reason: str = "",
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **attributes)
        self._ignored, self._refused, self._reason = frozenset(ignored), frozenset(refused), reason
        for parameter in self.params:
            if isinstance(parameter, click.Option) and parameter.name in self._ignored | self._refused:
                parameter.hidden = True
        if any(isinstance(each, GroupedOption) and each.key for each in self.params):
            self.params += _config_options()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section a group."""
        sections: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
        for each in self.get_params(ctx):
            if isinstance(each, click.Option) and (record := each.get_help_record(ctx)) is not None:
                sections[getattr(each, "group", "Other")].append(record)
        width = max(len(left) for records in sections.values() for left, _ in records if len(left) <= WIDEST)
        for group, records in sections.items():
            if records:
                with formatter.section(group):
                    formatter.write_dl([(left.ljust(width), text) for left, text in records], col_max=WIDEST + 2)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, or with --show-config print its configuration. Raises UsageError.

        An option that the command does not use is named if the command line gives it.
        """
        given = [
            each for each in self.params if ctx.get_parameter_source(each.name or "") is ParameterSource.COMMANDLINE
        ]
        if refused := [each.opts[0] for each in given if each.name in self._refused]:
            raise UsageError(f"{self._reason}: leave {' and '.join(refused)} out")
        if ignored := [each.opts[0] for each in given if each.name in self._ignored]:
            print_warning(f"{self._reason}: {' and '.join(ignored)} {'is' if len(ignored) == 1 else 'are'} ignored")
        drop_displaced(ctx)
        if SHOWN in ctx.meta:
            print_config(ctx)
            return 0
        refuse_collisions(self._written(ctx), self._written(ctx, folders=True), self._words_read(ctx))
        with ExitStack() as streams:
            for number in self._streams_of_outputs(ctx):
                streams.enter_context(stream_reserved(number))
            return super().invoke(ctx)

    def _written(self, ctx: click.Context, *, folders: bool = False) -> dict[str, str]:
        """Return the paths of files, or of *folders*, that options of outputs name, by option; "-" is none."""
        options = (each for each in self.params if isinstance(each, GroupedOption) and not each.hidden)
        chosen = (each for each in options if (each.takes_folder if folders else each.takes_output))
        paths = {each.opts[0]: ctx.params.get(each.name or "") for each in chosen}
        return {flag: path for flag, path in paths.items() if path is not None and path != "-"}

    def _words_read(self, ctx: click.Context) -> list[str]:
        """Return what names the files that are read: the arguments, and the file of a key."""
        named = [ctx.params.get(each.name or "") for each in self.params if self._names_input(each)]
        words = [word for value in named for word in (value if isinstance(value, tuple) else (value,))]
        return [str(word) for word in words if word is not None and word != "-"]

    @staticmethod
    def _names_input(parameter: click.Parameter) -> bool:
        return isinstance(parameter, click.Argument) or "--key" in parameter.opts

    def _streams_of_outputs(self, ctx: click.Context) -> Collection[int]:
        """Return the descriptors of standard streams that options of outputs name: "-", or a path such as /dev/stderr.

        The value of an option that takes "-" is "-" from now on where it names standard output. Raises UsageError if
        several options name a stream, or there is none left for all that is printed.
        """
        named: Counter[int] = Counter()
        for each in self.params:
            path = ctx.params.get(each.name or "")
            if not isinstance(each, GroupedOption) or each.hidden or not each.takes_output or path is None:
                continue
            takes_dash = str(each.metavar).endswith("|-")
            number = STDOUT if takes_dash and path == "-" else descriptor_of(path)
            if number in STREAMS:
                named[number] += 1
                if takes_dash and number == STDOUT:
                    ctx.params[each.name or ""] = "-"
        for number, times in named.items():
            if times > 1:
                raise UsageError(f"only one output can be written to standard {STREAMS[number]}")
        if len(named) == len(STREAMS):
            streams = "one output is on standard output and one on standard error"
            raise UsageError(f"{streams}, so that messages have no place: write one of them to a file")
        return list(named)


def _config_options() -> list[click.Parameter]:
    return [
        GroupedOption(
            ["--show-config"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_config,
            help="Print each option's value and where it is from; send nothing.",
        ),
        GroupedOption(
            ["--profile"],
            metavar="NAME",
            is_eager=True,
            expose_value=False,
            callback=_load_settings,
            help="Use this profile of chaperon.toml or pyproject.toml.",
        ),
    ]


def _show_config(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        ctx.meta[SHOWN] = True


def _load_settings(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if not ctx.resilient_parsing:
        load_settings(ctx, value)


def _print_help(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        for line in ctx.get_help().replace(UNBROKEN, " ").splitlines():
            print_line(line)
        ctx.exit()


def option(group: str, *declarations: str, standard: str = "", **attributes: Any) -> Decorator:
    """Return the decorator that adds an option of *group* to a command."""
    return click.option(*declarations, cls=GroupedOption, group=group, standard=standard, **attributes)


def argument(name: str, **attributes: Any) -> Decorator:
    """Return the decorator that adds an argument to a command, which --show-config does not need."""
    return click.argument(name, cls=GroupedArgument, **attributes)
