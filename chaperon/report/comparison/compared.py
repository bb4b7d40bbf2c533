"""ComparedRuns: the result of a comparison, as its outputs read it."""

from __future__ import annotations

from chaperon import exit_codes
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.report.comparison.change import FigureChange
from chaperon.report.comparison.decision import ChangeKind
from chaperon.report.comparison.measured_run import MeasuredRun


@lazy_dataclass(frozen=True)
class ComparedRuns:
    """What changed from the *first* runs to the *second*.

    *changes* has the figures that decide, then those of every series. *refused* are the reasons why
    the runs cannot be compared; there are no changes then. With *strict*, a figure that decides and is
    UNKNOWN fails.
    """

    first: tuple[MeasuredRun, ...]
    second: tuple[MeasuredRun, ...]
    changes: tuple[FigureChange, ...] = ()
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    strict: bool = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.word}: {len(self.first)} and {len(self.second)} runs>"

    def __getitem__(self, name: str) -> FigureChange:
        """Return the change of a figure by its text, such as "p95(GET /)". Raises KeyError."""
        for each in self.changes:
            if each.figure.text == name:
                return each
        raise KeyError(f"{name!r} is not compared: {', '.join(each.figure.text for each in self.changes) or 'nothing'}")

    @property
    def phase(self) -> str | None:
        """The phase that was compared, None: all but the warm-up."""
        return self.first[0].phase

    @property
    def gated(self) -> tuple[FigureChange, ...]:
        """The figures that decide."""
        return tuple(each for each in self.changes if each.gated)

    @property
    def change(self) -> ChangeKind:
        """SLOWER if a figure that decides is, else UNKNOWN if one is, else FASTER if one is, else SAME."""
        kinds = {each.change for each in self.gated}
        if self.refused or not kinds:
            return ChangeKind.UNKNOWN
        return next(
            k for k in (ChangeKind.SLOWER, ChangeKind.UNKNOWN, ChangeKind.FASTER, ChangeKind.SAME) if k in kinds
        )

    @property
    def word(self) -> str:
        """The change in capital letters, "NOT COMPARABLE" if the runs cannot be compared."""
        return "NOT COMPARABLE" if self.refused else self.change.name

    @property
    def exit_code(self) -> int:
        """5 if the runs cannot be compared, 4 if a figure that decides is slower (*strict*: or UNKNOWN), else 0."""
        if self.refused:
            return exit_codes.INVALID
        failed = self.change is ChangeKind.SLOWER or (self.strict and self._has_unknown)
        return exit_codes.FAIL if failed else exit_codes.PASS

    @property
    def _has_unknown(self) -> bool:
        return any(each.change is ChangeKind.UNKNOWN for each in self.gated)
