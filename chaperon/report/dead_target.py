"""A target that was never there: no connection of the run has succeeded."""

from __future__ import annotations

from collections.abc import Sequence

from chaperon.measure.window import Window

DEAD_AFTER = 5.0
"""Seconds without one successful connection after which a run is stopped."""

TARGETS = 5
"""Maximum number of targets that the reason names."""


class DeadTarget:
    """Whether not one connection has succeeded, on no worker, and since when connections fail."""

    def __init__(self) -> None:
        self._reached = False
        self._since: int | None = None
        self._until = 0
        self._reasons: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<DeadTarget {self.reason or 'reached, or not tried'}>"

    @property
    def reason(self) -> str | None:
        """Why no connection succeeds, such as "nothing listens at http://…: connection refused"; None if one has."""
        return "; ".join(self._reasons.values()) or None

    @property
    def seconds(self) -> int:
        """For how many seconds connections have failed, 0 if one has succeeded."""
        return 0 if self._since is None else self._until - self._since

    def add(self, second: int, windows: Sequence[Window]) -> None:
        """Add the windows of a closed second."""
        if self._reached:
            return
        for window in windows:
            requests = [series for key, series in window.series.items() if key.is_request]
            if any(series.good.count for series in requests) or window.health.get("connections_opened"):
                self._set_reached()
                return
            if window.unreached:
                self._since = second if self._since is None else min(second, self._since)
                self._until = max(second + 1, self._until)
                for target, reason in window.unreached.items():
                    if target in self._reasons or len(self._reasons) < TARGETS:
                        self._reasons[target] = reason
            elif any(series.bad.count for series in requests):  # answered, or not over the network at all
                self._set_reached()
                return

    def _set_reached(self) -> None:
        self._reached, self._since = True, None
        self._reasons.clear()
