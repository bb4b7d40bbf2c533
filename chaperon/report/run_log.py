"""What a collector and a monitor report of a run while it goes on, so that it can be made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from chaperon.measure.window import VisitCounts, Window


class RunLog(Protocol):
    """Receives every change to what is known of a run, in order: applied to a new collector they give the same report.

    `record_window` returns the window that is to be collected in place of the one given, and so
    does `record_extra`, for samples that no window of a worker contains.
    """

    def record_window(self, window: Window) -> Window: ...

    def record_extra(self, window: Window) -> Window: ...

    def record_join(self, worker: str) -> None: ...

    def record_leave(self, worker: str, lost: bool) -> None: ...

    def record_lost_visits(self, worker: str, visits: int) -> None: ...

    def record_correction(self, ledger: Mapping[tuple[str, int], VisitCounts]) -> None: ...

    def record_note(self, text: str, times: int) -> None: ...

    def record_end(self, how: str, reason: str) -> None: ...


class NoRunLog:
    """A log that keeps nothing."""

    def record_window(self, window: Window) -> Window:
        """Return *window*."""
        return window

    def record_extra(self, window: Window) -> Window:
        """Return *window*."""
        return window

    def record_join(self, worker: str) -> None:
        """Do nothing, as all methods below."""

    def record_leave(self, worker: str, lost: bool) -> None: ...

    def record_lost_visits(self, worker: str, visits: int) -> None: ...

    def record_correction(self, ledger: Mapping[tuple[str, int], VisitCounts]) -> None: ...

    def record_note(self, text: str, times: int) -> None: ...

    def record_end(self, how: str, reason: str) -> None: ...
