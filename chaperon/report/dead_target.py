"""A target that was never there, or that is not there any more: no connection succeeds."""

from __future__ import annotations

from collections.abc import Sequence

from chaperon.measure.window import Window

DEAD_AFTER = 5.0
"""Seconds without a connection after which a target counts as dead; a run that never had one is stopped."""

TARGETS = 5
"""Maximum number of targets that the reason names."""


class DeadTarget:
    """Whether no connection succeeds, on no worker, and since when: from the first second, or from a later one on."""

    def __init__(self) -> None:
        self._reached = False
        self._since: int | None = None
        self._until = 0
        self._reasons: dict[str, str] = {}
        self._opened: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<DeadTarget {self.reason or self.died or 'reached, or not tried'}>"

    @property
    def reason(self) -> str | None:
        """Why no connection ever succeeded, as in "nothing listens at http://…: connection refused"; else None."""
        return None if self._reached else self._texts() or None

    @property
    def died(self) -> str | None:
        """Why none succeeds since a second of the run, up to now; None if one does, or for less than `DEAD_AFTER`."""
        if not self._reached or self._since is None or self._until - self._since < DEAD_AFTER:
            return None
        return f"{self._texts()}, from second {self._since} to the end"

    @property
    def seconds(self) -> int:
        """For how many seconds connections have failed, 0 if one has ever succeeded."""
        return 0 if self._since is None or self._reached else self._until - self._since

    def add(self, second: int, windows: Sequence[Window]) -> None:
        """Add the windows of a closed second."""
        reached = False
        for window in windows:
            opened = window.health.get("connections_opened", 0.0)
            before = self._opened.get(window.worker, 0.0)
            self._opened[window.worker] = max(opened, before)
            series = window.series.items()
            if opened > before or any(each.good.count and key.is_request for key, each in series):
                reached = True
            elif not window.unreached and any(each.bad.count and key.is_request for key, each in series):
                reached = True  # answered, or not over the network at all
        if reached:
            self._reached, self._since = True, None
            self._reasons.clear()
            return
        for window in windows:
            if window.unreached:
                self._since = second if self._since is None else min(second, self._since)
                self._until = max(second + 1, self._until)
                for target, reason in window.unreached.items():
                    if target in self._reasons or len(self._reasons) < TARGETS:
                        self._reasons[target] = reason

    def _texts(self) -> str:
        return "; ".join(self._reasons.values())
