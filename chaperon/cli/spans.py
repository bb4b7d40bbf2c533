"""Spans of time as values of options."""

from __future__ import annotations

from typing import Any

import click

from chaperon.clock import LASTING, WAIT, seconds
from chaperon.errors import PlanError


class _Span(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A time span such as 30s or 250ms, as seconds; without a unit it is at most *most* seconds."""

    name = "span"

    def __init__(self, most: float) -> None:
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return seconds(str(value), most=self._most)  # a settings file gives numbers
        except PlanError as exc:
            self.fail(str(exc), param, ctx)


SPAN = _Span(LASTING)
WAIT_SPAN = _Span(WAIT)
