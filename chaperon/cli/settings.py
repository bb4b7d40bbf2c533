"""Values of options from variables and from a file: which of them a command has, and where each is from."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from chaperon.cli.foreign_words import OPTIONS
from chaperon.cli.grouped_option import FILE_VALUES, PREFIX, GroupedOption, options_of, variable_given, variable_of
from chaperon.cli.settings_file import FILE, PROFILES, PROJECT, FileValue, SettingsFile, read_settings, words_of
from chaperon.cli.terminal.lines import print_warning
from chaperon.errors import UsageError

CONFIG_OPTIONS = frozenset({"profile", "show-config"})
"""Options about the configuration itself, which no file gives."""
OTHER_VARIABLES = frozenset({
    "CHAPERON_KEY", "CHAPERON_KEY_FILE", "CHAPERON_METRICS_TOKEN", "CHAPERON_DEBUG",
    "CHAPERON_MASTER_KEY", "CHAPERON_WORKER_KEY",  # deploy/compose.yaml
})  # fmt: skip
"""Variables that are no option's."""
_OF_KUBERNETES = re.compile(
    r"_SERVICE_(?:HOST|PORT(?:_\w+)?)$|_PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?$"
)
"""Kubernetes sets these in every container for a service whose name begins with "chaperon"."""

EXCLUDES: dict[str, frozenset[str]] = {
    "load": frozenset({"users", "rate", "iterations", "ramp", "in_flight"}),
    "users": frozenset({"load", "rate", "in_flight"}),
    "rate": frozenset({"load", "users", "iterations"}),
    "iterations": frozenset({"load", "rate", "in_flight"}),
    "key": frozenset({"no_key"}),
    "no_key": frozenset({"key"}),
}
"""By option, as parameter names: the options whose values are dropped if they are of lower rank."""

_RANKS = {ParameterSource.COMMANDLINE: 0, ParameterSource.ENVIRONMENT: 1}
_IN_FILE, _DEFAULT = 3, 4


def load_settings(context: click.Context, profile: str | None) -> None:
    """Give the values in the settings file of the working directory to the options of a command.

    *profile* chooses one of the file. Prints a warning for each variable that is no option's. Raises UsageError.
    """
    _warn_of_variables(context)
    file = read_settings(Path.cwd())
    if file is None:
        if profile is not None:
            raise UsageError(f"--profile {profile}: there is no {FILE} here, and no [tool.chaperon] in a {PROJECT}")
        return
    _refuse_unknown(file, context)
    options = options_of(context.command)
    values: dict[str, FileValue] = {}
    words: dict[str, Any] = {}
    for key, given in file.chosen(profile).items():
        option = options.get(key)
        if option is None or option.name is None or option.hidden or variable_given(option, context):
            continue
        values[option.name] = given
        words[option.name] = words_of(key, given, is_flag=option.is_flag, multiple=option.multiple, table=option.table)
    context.meta[FILE_VALUES] = values
    context.default_map = words


def drop_displaced(context: click.Context) -> None:
    """Drop values that exclude one of higher rank: of the load in a file where the command line has another."""
    options = {each.name: each for each in options_of(context.command).values()}
    ranks = {name: _rank(option, context) for name, option in options.items()}
    for name, excluded in EXCLUDES.items():
        for other in excluded & ranks.keys():
            if ranks.get(name, _DEFAULT) < ranks[other] < _DEFAULT:
                context.params[other] = False if options[other].is_flag else None
                context.set_parameter_source(other, ParameterSource.DEFAULT)


def near(name: str, names: Iterable[str]) -> str:
    """Return a hint such as "; did you mean users?" that names what is similar; "" if nothing is."""
    found = get_close_matches(name, sorted(names), 3)
    return f"; did you mean {' or '.join(found)}?" if found else ""


def _rank(option: GroupedOption, context: click.Context) -> int:
    source = context.get_parameter_source(option.name or "")
    if source is ParameterSource.DEFAULT_MAP:
        return _IN_FILE - int(context.meta[FILE_VALUES][option.name].from_profile)
    if source in _RANKS:
        return _RANKS[source]
    return _RANKS[ParameterSource.ENVIRONMENT] if variable_given(option, context) else _DEFAULT


def _all_options(context: click.Context) -> set[str]:
    """Return the names of the options of all commands; imports them."""
    root = context.find_root()
    names = set(options_of(context.command))
    if isinstance(root.command, click.Group):
        for name in root.command.list_commands(root):
            command = root.command.get_command(root, name)
            names |= set() if command is None else set(options_of(command))
    return names


def _refuse_unknown(file: SettingsFile, context: click.Context) -> None:
    own = options_of(context.command).keys() - CONFIG_OPTIONS
    unknown = [(key, place) for key, place in file.keys() if key not in own]  # noqa: SIM118 - no mapping
    if not unknown:
        return
    known = _all_options(context) - CONFIG_OPTIONS
    for key, place in unknown:
        if key not in known:
            ours = OPTIONS.get(f"--{key}")
            hint = f": {key} is {ours}" if ours else near(key, known | {PROFILES})
            raise UsageError(f"unknown key {key!r} in {place}{hint}")


def _warn_of_variables(context: click.Context) -> None:
    own = {variable_of(key) for key in options_of(context.command)} | OTHER_VARIABLES
    unknown = [n for n in os.environ if n.startswith(PREFIX) and n not in own and not _OF_KUBERNETES.search(n)]
    if not unknown:
        return
    known = OTHER_VARIABLES | {variable_of(key) for key in _all_options(context)}
    for name in sorted(set(unknown) - known):
        print_warning(f"unknown variable {name}{near(name, known)}")
