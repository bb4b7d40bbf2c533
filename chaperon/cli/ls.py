"""`chaperon ls`: what a scenario file holds."""

from __future__ import annotations

import click

from chaperon.cli.options import target_argument
from chaperon.cli.terminal.streams import hide, say
from chaperon.execution.loader import contents
from chaperon.execution.scenario_module import locate


@click.command()
@target_argument
def ls(file: str) -> int:
    """Say what FILE holds: environments with their entries, scenarios, steps."""
    held = contents(locate(file)[0])
    for environment in held.environments.values():
        hide(environment.secrets)
    for name, environment in held.environments.items():
        say(f"environment {name}  {environment.url or '(no url)'}")
        for entry in environment.entries:
            say(f"  {entry.label}: {entry.load}")
        for limit in environment.limits:
            say(f"  limit {limit}")
    for name, scenario in held.scenarios.items():
        say(f"scenario {name}: {' → '.join(scenario.names)}")
    if held.steps:
        say(f"steps: {', '.join(held.steps)}")
    if not (held.environments or held.scenarios or held.steps):
        say("no @step function, no Scenario and no Environment")
    return 0
