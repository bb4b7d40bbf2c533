"""`chaperon ls`: what a scenario file holds."""

from __future__ import annotations

import click

from chaperon.script.loader import contents


@click.command()
@click.argument("file")
def ls(file: str) -> int:
    """Say what FILE holds: environments with their entries, scenarios, steps."""
    held = contents(file)
    for name, environment in held.environments.items():
        click.echo(f"environment {name}  {environment.url or '(no url)'}")
        for entry in environment.entries:
            click.echo(f"  {entry.label}: {entry.load}")
        for limit in environment.limits:
            click.echo(f"  limit {limit}")
    for name, scenario in held.scenarios.items():
        click.echo(f"scenario {name}: {' → '.join(scenario.names)}")
    if held.steps:
        click.echo(f"steps: {', '.join(held.steps)}")
    if not (held.environments or held.scenarios or held.steps):
        click.echo("no @step function, no Scenario and no Environment")
    return 0
