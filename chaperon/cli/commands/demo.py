"""`chaperon demo`: a first run, against a small target included in Chaperon."""

from __future__ import annotations

import click

from chaperon.cli.execute import execute
from chaperon.cli.option_groups import GroupedCommand
from chaperon.cli.options import RunOptions, load_options
from chaperon.cli.terminal.lines import print_line


@click.command(cls=GroupedCommand, refused=["url"], reason="the demo starts the target it runs against")
@load_options
def demo(options: RunOptions) -> int:
    """Start a small target on a free loopback port and run the sample scenario against it."""
    from chaperon.demo import target  # late: only this command needs a server
    from chaperon.demo_scenario import production

    environment = options.apply_to(production)
    with target() as url:
        if not options.quiet:
            print_line(f"the target is at {url}; the scenario is chaperon/demo_scenario.py", err=True)
        return execute(environment.adapt(url=url, brake=not options.no_brake, strict=options.strict), options)
