"""`chaperon new`: a first scenario file."""

from __future__ import annotations

from pathlib import Path

import click

from chaperon.errors import OutputError, UsageError

FIRST = '''"""What one user does. Try it: chaperon check {file} --url http://localhost:8080"""

from chaperon import step


@step
def look_around(session):
    session.get("/")


@step(think="1s")
def sign_up(session):
    response = session.post("/sign-up", json={{"name": f"user {{session.visit.user}}"}})
    session.check("has an answer", response.text)
'''


@click.command()
@click.argument("name")
def new(name: str) -> int:
    """Write a first scenario file, NAME.py."""
    path = Path(name if name.endswith(".py") else f"{name}.py")
    if not path.stem.isidentifier():
        raise UsageError(f"{path.stem!r} cannot be imported: use letters, digits and underscores")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(FIRST.format(file=path.name))
    except FileExistsError:
        raise UsageError(f"{path} is there already: choose another name") from None
    except OSError as exc:
        raise OutputError(f"cannot write {path}: {exc.strerror}") from exc
    click.echo(f"wrote {path}: try  chaperon check {path} --url http://localhost:8080")
    return 0
