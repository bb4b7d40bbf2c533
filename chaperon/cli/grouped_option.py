"""An option or argument of a command, whose value may come from a variable or from a settings file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource

from chaperon.cli.settings_file import FileValue, Words

PREFIX = "CHAPERON_"
GIVEN = "chaperon.given"
"""The key, in the `meta` of a context, of the values as they were given, by parameter name."""
FILE_VALUES = "chaperon.file_values"
"""The key, in the `meta` of a context, of the values of a settings file, by parameter name."""

UNBROKEN = "\xa0"
"""A space at which a line of help is not wrapped; printed as an ordinary one."""

_SHORT_DEFAULT = re.compile(r"\[default: [^\]]{1,34}\]")

SHOWN = "chaperon.show_config"
"""The key, in the `meta` of a context, that is there when the configuration is to be shown and nothing to be run."""


class _MissingAllowed(click.Parameter):
    """A parameter that may be missing where the configuration is only shown."""

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the converted value; None for a missing one under --show-config."""
        try:
            return super().process_value(ctx, value)
        except click.MissingParameter:
            if SHOWN in ctx.meta:
                return None
            raise


class GroupedArgument(_MissingAllowed, click.Argument):
    """An argument that may be missing where the configuration is only shown."""


class GroupedOption(_MissingAllowed, click.Option):
    """An option with a heading, whose value may come from a variable or from a settings file.

    *standard* is the value that applies if neither the option nor FILE gives one. *table* makes words of a
    TOML table. *variables* are read by the command itself, in place of the variable of the option's name.
    """

    def __init__(
        self,
        *args: Any,
        group: str = "Other",
        standard: str = "",
        table: Words | None = None,
        variables: tuple[str, ...] = (),
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **attributes)
        self.group = group
        self.standard = standard
        self.table = table
        self.variables = variables
        self.key = next((each[2:] for each in self.opts if each.startswith("--")), "")
        """The name in a settings file; "" for an option without a long name, which only the command line gives."""
        if self.key and not variables:
            self.envvar = variable_of(self.key)

    @property
    def takes_output(self) -> bool:
        """Whether the value is the path of a file that is written."""
        return self.group == "Output" and str(self.metavar).startswith("FILE")

    @property
    def takes_folder(self) -> bool:
        """Whether the value is the path of a folder that is written to."""
        return self.group == "Output" and self.metavar == "DIR"

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Return the value of the option's variable: one value a line, where there may be several."""
        found = self.resolve_envvar_value(ctx)
        if found is None or self.hidden:  # a hidden option is one that the command does not use
            return None
        if self.multiple:
            return [line.strip() for line in found.splitlines() if line.strip()] or None
        return super().value_from_envvar(ctx)

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the converted value, keep it as it was given; an error names where it is from."""
        ctx.meta.setdefault(GIVEN, {})[self.name] = value
        try:
            return super().process_value(ctx, value)
        except click.BadParameter as exc:
            where = source_of(self, ctx)
            if where in ("", "command line") or isinstance(exc, click.MissingParameter):
                raise
            raise click.BadParameter(f"{exc.message.rstrip('.')}, from {where}", ctx, self) from exc

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the option with its help and its default, None if it is hidden."""
        record = super().get_help_record(ctx)
        if record is None:
            return None
        text = f"{record[1]}  [default: {self.standard}]" if self.standard else record[1]
        return record[0], _SHORT_DEFAULT.sub(lambda found: found.group().replace(" ", UNBROKEN), text)


def variable_of(key: str) -> str:
    """Return the variable of an option: CHAPERON_RUN_FILE for "run-file"."""
    return f"{PREFIX}{key.replace('-', '_').upper()}"


def options_of(command: click.Command) -> dict[str, GroupedOption]:
    """Return the options of a command that variables and files may give, by their long names."""
    return {each.key: each for each in command.params if isinstance(each, GroupedOption) and each.key}


def source_of(option: GroupedOption, context: click.Context) -> str:
    """Return where the value of an option is from, such as "command line" or "chaperon.toml"; "" for its default."""
    source = context.get_parameter_source(option.name or "")
    if source is ParameterSource.COMMANDLINE:
        return "command line"
    if source is ParameterSource.ENVIRONMENT:
        return variable_of(option.key)
    if source is ParameterSource.DEFAULT_MAP:
        given: FileValue = context.meta[FILE_VALUES][option.name]
        return given.source
    return variable_given(option, context) or ""


def variable_given(option: GroupedOption, context: click.Context) -> str | None:
    """Return the variable with the value of an option that the command itself reads from the environment."""
    variables: Mapping[str, str] = context.obj or {}
    return next((name for name in option.variables if variables.get(name)), None)
