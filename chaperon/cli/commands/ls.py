"""`chaperon ls`: list the contents of a scenario file."""

from __future__ import annotations

import click

from chaperon.cli.option_groups import GroupedCommand
from chaperon.cli.options import target_argument
from chaperon.cli.terminal.clean_text import hide
from chaperon.cli.terminal.lines import print_line, print_warning
from chaperon.execution.file_contents import contents, unused_warnings
from chaperon.execution.scenario_module import locate


@click.command(cls=GroupedCommand)
@target_argument
def ls(file: str) -> int:
    """List the environments of FILE with their entries and limits, its scenarios and steps, and what nothing uses."""
    found = contents(locate(file)[0])
    for environment in found.environments.values():
        hide(environment.secrets)
    for name, environment in found.environments.items():
        print_line(f"environment {name}  {environment.url or '(no url)'}")
        for entry in environment.entries:
            print_line(f"  {entry.label}: {entry.load}")
        for limit in environment.limits:
            print_line(f"  limit {limit}")
    for name, scenario in found.scenarios.items():
        print_line(f"scenario {name}: {' → '.join(scenario.names)}")
    if found.steps:
        print_line(f"steps: {', '.join(found.steps)}")
    if not (found.environments or found.scenarios or found.steps):
        print_line("no @step function, no Scenario and no Environment")
    for sentence in unused_warnings(found):
        print_warning(sentence)
    return 0
