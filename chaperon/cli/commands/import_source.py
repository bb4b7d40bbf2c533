"""`chaperon import`: print a scenario file made of a source of another tool."""

from __future__ import annotations

import sys

import click

from chaperon.cli.option_groups import GroupedCommand
from chaperon.cli.terminal.lines import print_warning
from chaperon.cli.terminal.printing import unfiltered_stdout
from chaperon.errors import LoadError
from chaperon.importing.kinds import KINDS, LARGEST, import_source


@click.command("import", cls=GroupedCommand)
@click.argument("kind", metavar="KIND", type=click.Choice(list(KINDS)))
@click.argument("source", metavar="SOURCE")
def import_command(kind: str, source: str) -> int:
    """Print a scenario file made of SOURCE: chaperon import har shop.har > shop.py

    KIND is curl, har, openapi, postman or locust. SOURCE is a file, or - for standard input; of curl also the
    command itself, in quotes. Secrets become environment variables, which the file names at its top.
    """
    text = source if kind == "curl" and source.lstrip().startswith("curl ") else read_source(source)
    try:
        made = import_source(kind, text)
    except LoadError as exc:
        raise LoadError(f"cannot import {_shown(source)}: {exc}") from exc
    for remark in made.remarks:
        print_warning(f"not carried over: {remark}")
    with unfiltered_stdout() as stream:  # the text is source code, which masking would change
        stream.buffer.write(made.text.encode())
        stream.buffer.flush()
    return 0


def read_source(source: str) -> str:
    """Return the text of a file, or of standard input for "-". Raises LoadError."""
    try:
        if source == "-":
            content = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with open(source, "rb") as file:
                content = file.read(LARGEST + 1)
    except OSError as exc:
        raise LoadError(f"cannot read {source}: {exc.strerror}") from exc
    if len(content) > LARGEST:
        raise LoadError(f"{_shown(source)} is larger than {LARGEST >> 20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise LoadError(f"{_shown(source)} is not text in UTF-8: {exc.reason} at byte {exc.start}") from None


def _shown(source: str) -> str:
    return "standard input" if source == "-" else source if len(source) <= 80 else f"{source[:77]}..."
