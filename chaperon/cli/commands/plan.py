"""`chaperon plan`: show what a load would send, and when."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import groupby, islice

import click

from chaperon.cli.option_groups import GroupedCommand
from chaperon.cli.options import RunOptions, load_options, target_argument
from chaperon.cli.outputs import OUTPUT_NAMES
from chaperon.cli.terminal.lines import Styled, print_line, print_warning
from chaperon.execution.environment import Environment
from chaperon.load.kinds.load import Shaped
from chaperon.load.phases import Stage
from chaperon.load.share import Share
from chaperon.measure.quantity import count_text
from chaperon.report.chart import framed
from chaperon.report.format import time_text

WIDE = 72
FIRST = 5
_PLURAL = re.compile("s(?=/|$)")
_UNUSED = (
    "headers",
    "timeout",
    "insecure",
    "grace",
    "no_brake",
    "strict",
    *OUTPUT_NAMES,
    "run_file",
    "by",
    "merge",
    "quiet",
    "log",
    "log_file",
    "trust",
)


@click.command(cls=GroupedCommand, ignored=_UNUSED, reason="plan sends nothing")
@target_argument
@load_options
def plan(file: str, options: RunOptions) -> int:
    """Print what the load of FILE would send and when, stage by stage, with a chart. Nothing is sent."""
    environment = options.load_environment(file, warn=print_warning)
    for entry, load in enumerate(environment.entries):
        shares = environment.shares()
        parts = [share for share in shares if share.entry == entry]
        print_line(Styled(load.label, bold=True), f": {load.load}")
        for part in parts:
            _print_part(part)
        print_line()
    print_line(_summary(environment))
    return 0


def _print_part(part: Share) -> None:
    load = part.load
    drawn = _drawn_span(load)
    for line in framed(
        _levels(load, drawn), (_level_text(load.curve.peak), "0"), _axis(part.at, drawn, load.unit), height=6
    ):
        print_line(f"  {line}")
    for phase, grouped in groupby(part.phases.stages, lambda stage: stage.phase):
        stages = list(grouped)
        end = stages[-1].end
        until = "the end" if math.isinf(end) else _clock_text(end)
        print_line(
            f"  {phase:<24} {_clock_text(stages[0].at):>8} to {until:<8} {_with_unit(_levels_text(stages), load.unit)}"
        )
    print_line(f"  {_description(load, part)}")
    if first := [f"{part.at + at:.3f}" for _, at in islice(load.schedule(seed=part.source), FIRST)]:
        print_line(f"  due at {', '.join(first)} … s")
    if part.until is None:
        print_line("  it ends when all visits have been made")


def _with_unit(levels: str, unit: str) -> str:
    """Return a level with its unit: "5 users", "1 user", "1 visit/s"."""
    return f"{levels} {_PLURAL.sub('', unit, count=1) if levels == '1' else unit}"


def _levels_text(stages: Sequence[Stage]) -> str:
    """Return the levels of consecutive stages: from the first to the last of one, the lowest and highest of several."""
    lowest = min(min(stage.low, stage.high) for stage in stages)
    highest = max(max(stage.low, stage.high) for stage in stages)
    if lowest == highest:
        return _level_text(lowest)
    if len(stages) > 1:
        return f"{_level_text(lowest)} to {_level_text(highest)}"
    return f"{_level_text(stages[0].low)} → {_level_text(stages[0].high)}"


def _description(load: Shaped, part: Share) -> str:
    pauses = [f"{name} {_pause_text(span.low, span.high)}" for name, span in load.rests.items()]
    return load.describe(seed=part.source) + (f"; {', '.join(pauses)}" if pauses else "")


def _pause_text(low: float, high: float) -> str:
    return time_text(low) if low == high else f"{time_text(low)} to {time_text(high)}"


def _summary(environment: Environment) -> str:
    shares = environment.shares()
    ends = [share.until for share in shares]
    due = [number for share in shares if (number := _planned_visits(share)) is not None]
    length = "until their visits are made" if None in ends else f"over {_clock_text(max(e or 0.0 for e in ends))}"
    visits = f"{count_text(sum(due), 'visit')} planned" if due else "as many visits as the target answers"
    return f"in all: {visits}, {length}; seed {environment.seed}"


def _planned_visits(share: Share) -> int | None:
    number = share.load.planned(seed=share.source)
    return share.load.expected() if number is None else number


def _drawn_span(load: Shaped) -> float:
    """Return the seconds of a load to draw: all of it, or its beginning if it has no end in time."""
    if load.until is not None:
        return load.until
    return max(load.curve.segments[-1].at * 1.25, 1.0)


def _levels(load: Shaped, span: float) -> list[float | None]:
    return [load.curve.level(span * (i + 0.5) / WIDE) for i in range(WIDE)]


def _axis(at: float, span: float, unit: str) -> str:
    left, right = _clock_text(at), _clock_text(at + span)
    return left + f"{unit} over time".center(WIDE - len(left) - len(right)) + right


def _clock_text(moment: float) -> str:
    minutes, rest = divmod(round(moment, 2), 60)
    return f"{minutes:.0f}:{rest:05.2f}".removesuffix(".00")


def _level_text(level: float) -> str:
    return f"{level:,.4g}" if level < 10_000 else f"{level:,.0f}"
