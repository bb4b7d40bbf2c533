"""`chaperon new`: write a first scenario file."""

from __future__ import annotations

from pathlib import Path

import click

from chaperon.cli.option_groups import GroupedCommand
from chaperon.cli.terminal.lines import print_line
from chaperon.errors import OutputError, UsageError
from chaperon.report.output_parts.output_file import followed

FIRST = '''"""What one user does.

Once:        chaperon check {file} --url http://localhost:8080
As a load:   chaperon local {file} --url http://localhost:8080 --users 10 --hold 30s
"""

from chaperon import step


@step(think="1s")
def arrive(session):
    response = session.get("/")
    session.check("the page is not empty", response.content)


@step
def look_again(session):
    session.get("/", name="GET / again")
'''


@click.command(cls=GroupedCommand)
@click.argument("name")
def new(name: str) -> int:
    """Write a first scenario file, NAME.py."""
    path = Path(name if name.endswith(".py") else f"{name}.py")
    if not path.stem.replace("-", "_").isidentifier():
        raise UsageError(f"{path.stem!r} is not a name for a Python file: use letters, digits, _ and -")
    followed(path.parent)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(FIRST.format(file=path.name))
    except FileExistsError:
        raise UsageError(f"{path} exists already: choose another name") from None
    except OSError as exc:
        raise OutputError(f"cannot write {path}: {exc.strerror}") from exc
    print_line(f"wrote {path}: try  chaperon check {path} --url http://localhost:8080")
    return 0
