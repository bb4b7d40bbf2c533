"""The noise floor: by how much runs of one build differ, and the margin that allows for it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from chaperon import exit_codes
from chaperon.errors import UsageError
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.report.comparison.change import change_of
from chaperon.report.comparison.comparable import refusals, warnings
from chaperon.report.comparison.comparison import check_gates
from chaperon.report.comparison.decision import ChangeKind, time_margin
from chaperon.report.comparison.difference import LEAST_RUNS, between_runs, deviation
from chaperon.report.comparison.figure import GATES, Figure, Margins, parse_figure
from chaperon.report.comparison.measured_run import MeasuredRun, RunSource, measure_runs
from chaperon.report.comparison.words import value_text
from chaperon.report.redaction.redaction import redacted

SCHEMA = "chaperon-noise-floor/1"


@lazy_dataclass(frozen=True, slots=True)
class FigureNoise:
    """How a figure varies between runs of one build.

    *mean*: its mean (seconds, or a share of errors). *between*: the standard deviation, of its
    logarithm or of shares. *margin*: the one to use. Of *pairs* of the runs that can be compared *alarms* differ by
    more than the margin that applies otherwise. All are None, or 0, where *reason* says that it is unknown.
    """

    figure: Figure
    mean: float | None
    between: float | None
    margin: float | None
    pairs: int
    alarms: int
    reason: str = ""

    @property
    def sentence(self) -> str:
        """All of it in words."""
        if self.mean is None or self.between is None or self.margin is None:
            return f"{self.figure.text} is unknown: {self.reason}"
        share = self.figure.is_share
        points = " points" if share else " %"
        varies = f"{self.figure.text} varies by {100 * self.between:.2g}{points} between runs"
        use = f"--margin '{self.figure.text}={100 * self.margin:.3g}%'"
        alarms = f"{self.alarms} of {self.pairs} pairs differ by more than the margin without it"
        return f"{varies} (mean {value_text(self.mean, share=share)}): use {use}; {alarms}"


@lazy_dataclass(frozen=True)
class NoiseFloor:
    """What runs of one build differ by; *refused* says why they cannot be compared."""

    runs: tuple[MeasuredRun, ...]
    figures: tuple[FigureNoise, ...] = ()
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """5 if the runs cannot be compared, else 0."""
        return exit_codes.INVALID if self.refused else exit_codes.PASS


def noise_floor(
    runs: Sequence[RunSource], *, gates: Sequence[str] = (), margins: Margins | None = None, phase: str | None = None
) -> NoiseFloor:
    """Return what *runs* of one build, at least three, differ by. Blocks while it reads them.

    Raises RunFileError and UsageError.
    """
    if len(runs) < LEAST_RUNS:
        raise UsageError(f"give at least {LEAST_RUNS} runs of one build: A1 A2 A3")
    own = margins or Margins()
    figures = [parse_figure(text) for text in dict.fromkeys(gates or GATES)]
    own.check(figures)
    (measured,) = measure_runs(runs, phase=phase)
    refused = refusals(measured)
    if refused:
        return NoiseFloor(tuple(measured), refused=tuple(refused))
    check_gates(figures, measured)
    noise = tuple(_noise(each, measured, own.of(each)) for each in figures)
    return NoiseFloor(tuple(measured), noise, warnings=tuple(warnings(measured)))


def _noise(figure: Figure, runs: Sequence[MeasuredRun], margin: float) -> FigureNoise:
    values = [value for run in runs if (value := run.value(figure)) is not None]
    if len(values) < len(runs) or (not figure.is_share and min(values) <= 0.0):
        reason = next((why for run in runs if (why := run.unknown(figure)) is not None), "it is 0 in a run")
        return FigureNoise(figure, None, None, None, 0, 0, reason)
    changes = [change_of(figure, [one], [other], margin, gated=True) for one, other in combinations(runs, 2)]
    known = [each for each in changes if each.outcome is not None]
    alarms = sum(each.change in (ChangeKind.SLOWER, ChangeKind.FASTER) for each in known)
    between = deviation(values) if figure.is_share else between_runs(values)
    use = max(margin, 2 * between) if figure.is_share else time_margin(margin, min(values), min(values), between)
    return FigureNoise(figure, fmean(values), between, use, len(known), alarms)


def noise_floor_dict(floor: NoiseFloor) -> dict[str, Any]:
    """Return a noise floor as values that JSON can represent: times in seconds, shares, texts redacted."""
    return {
        "schema": SCHEMA,
        "refused": [redacted(text) for text in floor.refused],
        "warnings": [redacted(text) for text in floor.warnings],
        "runs": [redacted(run.name) for run in floor.runs],
        "figures": [
            {
                "figure": redacted(each.figure.text),
                "mean": each.mean,
                "between_runs": each.between,
                "margin": each.margin,
                "pairs": each.pairs,
                "alarms": each.alarms,
                "sentence": redacted(each.sentence),
            }
            for each in floor.figures
        ],
    }
