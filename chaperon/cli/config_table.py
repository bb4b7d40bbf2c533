"""The configuration of a command: what --show-config prints."""

from __future__ import annotations

from typing import Any

import click

from chaperon.cli.given_secrets import given_secrets
from chaperon.cli.grouped_option import GIVEN, GroupedOption, options_of, source_of
from chaperon.cli.settings import CONFIG_OPTIONS
from chaperon.cli.terminal.clean_text import hide
from chaperon.cli.terminal.lines import Styled, print_line

_OF_FILE = ("Load", "Target", "Limits")
"""Groups whose options replace what the scenario file says; their defaults apply where it says nothing."""


def print_config(context: click.Context) -> None:
    """Print every option that has a value, the value, and where it is from; secrets are masked. Raises OSError."""
    given: dict[str, Any] = context.meta.get(GIVEN, {})
    hide({_text(given.get("page_token"))} - {""})
    hide(
        given_secrets(
            headers=_texts(given.get("headers")), settings=_texts(given.get("settings")), url=_text(given.get("url"))
        )
    )
    options = {k: o for k, o in options_of(context.command).items() if k not in CONFIG_OPTIONS and not o.hidden}
    rows = [(f"--{key}", *line) for key, option in options.items() for line in _lines(option, context)]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for name, source, value in rows:
        # the value comes last: of a header, all that follows its name is masked
        print_line(Styled(name.ljust(widths[0]), bold=True), f"  {source.ljust(widths[1])}  {value}")


def _lines(option: GroupedOption, context: click.Context) -> list[tuple[str, str]]:
    """Return (source, value), one for each value of the option."""
    source = source_of(option, context)
    if not source:
        default = option.standard or (option.default if isinstance(option.default, (str, float)) else "")
        where = "scenario file, else default" if option.group in _OF_FILE else "default"
        return [(where, f"{default}")] if default != "" and not option.is_flag else []
    if source in option.variables:
        return [(source, "(not shown)")]
    value = context.params.get(option.name or "") if option.is_flag else context.meta[GIVEN][option.name]
    return [(source, text) for text in _texts(value)]


def _texts(value: Any) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [_text(each) for each in value]
    return [_text(value)] if isinstance(value, (str, int, float)) else []


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, (str, int, float)) else ""
