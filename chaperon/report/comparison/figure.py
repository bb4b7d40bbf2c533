"""Figures that runs are compared by, such as "p95(GET /)" and "errors", and the changes allowed in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

from chaperon.errors import LimitError, UsageError
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.report.comparison.decision import MARGINS
from chaperon.report.limits.limit_parser import parse
from chaperon.report.limits.limits import Limit

GATES = ("p50", "p95", "p99", "errors")
"""The figures that decide by default: of all requests."""
ERRORS = "errors"
_MARGIN = re.compile(r"(\d+(?:\.\d+)?)\s*%")


@lazy_dataclass(frozen=True, slots=True)
class Figure:
    """A percentile, or the share of errors, of a series; *text* is its name. *limit* selects its samples."""

    text: str
    limit: Limit

    @property
    def is_share(self) -> bool:
        """Whether it is a share of errors rather than a time."""
        return self.limit.what == ERRORS

    @property
    def q(self) -> float:
        """The quantile of a percentile, from 0 to 1."""
        return float(self.limit.what[1:]) / 100

    def during(self, phase: str | None) -> Figure:
        """Return the same figure of one phase, None: of the whole run without warm-up."""
        return replace(self, limit=replace(self.limit, during=phase))


def parse_figure(text: str) -> Figure:
    """Return the figure in a text such as "p95(GET /)". Raises UsageError."""
    try:
        limit = parse(f"{text} < 1")
    except LimitError as exc:
        reason = str(exc).splitlines()[0].replace("limit, ", "", 1)
        raise UsageError(f"{text!r} is no figure to compare, such as 'p95(GET /)' or errors: {reason}") from exc
    if limit.what != ERRORS and limit.what[0] != "p":
        raise UsageError(f"{text!r} cannot be compared: percentiles and errors can, such as 'p95(GET /)'")
    if limit.what[0] == "p" and float(limit.what[1:]) >= 100:
        raise UsageError(f"{text!r} cannot be compared: it is the maximum; compare p99 or less")
    if all(each.error is not None for each in limit.readings or (limit.selection,)):
        raise UsageError(f"{text!r} cannot be compared: errors are compared over all their classes")
    return Figure(text.strip(), limit)


@lazy_dataclass(frozen=True)
class Margins:
    """What figures may change by: *own* by text of the figure or by statistic, over `MARGINS`."""

    own: Mapping[str, float] = field(default_factory=dict)

    def of(self, figure: Figure) -> float:
        """Return the margin of a figure, as a share: of a time, or of all samples."""
        what = figure.limit.what
        for name in (figure.text, what):
            if name in self.own:
                return self.own[name]
        return MARGINS.get(what, MARGINS["p95"])

    def check(self, figures: Iterable[Figure]) -> None:
        """Raise UsageError if a margin is of no figure that is compared."""
        known = {name for figure in figures for name in (figure.text, figure.limit.what)}
        for name in self.own:
            if name not in known:
                raise UsageError(f"a margin is given for {name}, which is not compared: give it as a gate too")


def parse_margins(texts: Sequence[str]) -> Margins:
    """Return the margins in texts such as "p95=10%" and "errors(GET /)=0.5%". Raises UsageError.

    That of errors is in points: a share of all samples.
    """
    own = {}
    for text in texts:
        name, mark, value = text.rpartition("=")
        found = _MARGIN.fullmatch(value.strip())
        if not mark or not name.strip() or found is None:
            raise UsageError(f"the margin {text!r} is not FIGURE=SHARE, such as p95=10% or errors=0.5%")
        own[parse_figure(name).text] = float(found.group(1)) / 100
    return Margins(own)
