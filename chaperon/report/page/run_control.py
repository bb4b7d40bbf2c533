"""RunControl: what an output that shows a run while it goes on may ask of it, and change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chaperon.measure.precision.history import History
    from chaperon.measure.precision.stretch import SeriesStretch
    from chaperon.measure.sample import Key
    from chaperon.report.limits.limit_result import LimitResult
    from chaperon.report.totals import Pulse, WorkerStats


class RunControl(Protocol):
    """A run in one process or on many workers. Methods that change it return at once; UsageError before its start.

    Texts may hold secrets: `PlannedRun.redact` removes them.
    """

    @property
    def ended(self) -> bool:
        """Whether every visit has ended."""

    @property
    def began(self) -> float:
        """The start of the load, in seconds on the clock of the samples."""

    @property
    def ending(self) -> str | None:
        """Why no further visit starts: it was stopped, or a limit stopped it. None if neither."""

    @property
    def factor(self) -> float:
        """The multiple of the plan that is sent by now."""

    @property
    def paused(self) -> bool:
        """Whether it is paused by now."""

    @property
    def levels(self) -> dict[str, float]:
        """What is asked for at this moment, by unit."""

    @property
    def crew(self) -> list[WorkerStats]:
        """The workers, with their figures."""

    def pulse(self) -> Pulse:
        """Return the figures of the last seconds."""

    def limits_so_far(self) -> Sequence[LimitResult]:
        """Return every limit of which there is data, by the seconds that are closed."""

    def stretch(self, start: float, end: float) -> Iterator[tuple[Key, SeriesStretch]]:
        """Yield each key with its samples from second *start* up to second *end*. May block to read a file."""

    def histories(self) -> Iterator[tuple[Key, History]]:
        """Yield each key with its closed seconds. Reading one may block to read a file."""

    def scale(self, factor: float, *, by: str = "") -> None:
        """Send *factor* times what was planned; *by* names who asked, here and below. Raises PlanError."""

    def pause(self, *, by: str = "") -> None:
        """Begin no further visit until `resume`."""

    def resume(self, *, by: str = "") -> None:
        """End a pause."""

    def stop(self, reason: str = "stopped", *, by: str = "") -> None:
        """Start no further visit. The verdict is ABORTED."""

    def note(self, text: str, *, by: str = "") -> None:
        """Add a sentence to the notes of the report."""
