"""`chaperon plan`: what would be sent, when."""

from __future__ import annotations

import math
from itertools import islice

import click

from chaperon.cli.options import RunOptions, load_options, target_argument
from chaperon.cli.terminal.streams import Styled, say, warn
from chaperon.execution.environment import Environment
from chaperon.load.kinds.load import Shaped
from chaperon.load.share import Share
from chaperon.report.chart import framed
from chaperon.report.format import time_text

WIDE = 72
FIRST = 5


@click.command()
@target_argument
@load_options
def plan(file: str, orders: RunOptions) -> int:
    """Print and draw what would be sent and when, stage by stage; no request is made."""
    environment = orders.environment(file, warn=warn)
    for entry, load in enumerate(environment.entries):
        whole = environment.shares()
        legs = [share for share in whole if share.entry == entry]
        say(Styled(load.label, bold=True), f": {load.load}")
        for leg in legs:
            _print_leg(leg)
        say()
    say(_sum(environment))
    return 0


def _print_leg(leg: Share) -> None:
    load = leg.load
    end = leg.until
    drawn = _span(load)
    for line in framed(
        _levels(load, drawn), (_number(load.curve.peak), "0"), _axis(leg.at, drawn, load.unit), height=6
    ):
        say(f"  {line}")
    for stage in leg.phases.stages:
        until = "the end" if math.isinf(stage.end) else _at(stage.end)
        level = _number(stage.low) if stage.low == stage.high else f"{_number(stage.low)} → {_number(stage.high)}"
        say(f"  {stage.phase:<24} {_at(stage.at):>8} to {until:<8} {level} {load.unit}")
    say(f"  {_described(load, leg)}")
    if first := [f"{leg.at + at:.3f}" for _, at in islice(load.schedule(seed=leg.source), FIRST)]:
        say(f"  due at {', '.join(first)} … s")
    if end is None:
        say("  it ends when the visits are made")


def _described(load: Shaped, leg: Share) -> str:
    rests = [f"{name} {_rest(span.low, span.high)}" for name, span in load.rests.items()]
    return load.describe(seed=leg.source) + (f"; {', '.join(rests)}" if rests else "")


def _rest(low: float, high: float) -> str:
    return time_text(low) if low == high else f"{time_text(low)} to {time_text(high)}"


def _sum(environment: Environment) -> str:
    shares = environment.shares()
    ends = [share.until for share in shares]
    due = [number for share in shares if (number := _due(share)) is not None]
    length = "until their visits are made" if None in ends else f"over {_at(max(e or 0.0 for e in ends))}"
    visits = f"{sum(due):,} visits planned" if due else "as many visits as the target answers"
    return f"in all: {visits}, {length}; seed {environment.seed}"


def _due(share: Share) -> int | None:
    number = share.load.planned(seed=share.source)
    return share.load.expected() if number is None else number


def _span(load: Shaped) -> float:
    """How much of a load to draw: all of it, or the beginning of one without an end."""
    if load.until is not None:
        return load.until
    return max(load.curve.segments[-1].at * 1.25, 1.0)


def _levels(load: Shaped, span: float) -> list[float | None]:
    return [load.curve.level(span * (i + 0.5) / WIDE) for i in range(WIDE)]


def _axis(at: float, span: float, unit: str) -> str:
    left, right = _at(at), _at(at + span)
    return left + f"{unit} over time".center(WIDE - len(left) - len(right)) + right


def _at(moment: float) -> str:
    minutes, rest = divmod(round(moment, 2), 60)
    return f"{minutes:.0f}:{rest:05.2f}".removesuffix(".00")


def _number(level: float) -> str:
    return f"{level:,.4g}" if level < 10_000 else f"{level:,.0f}"
