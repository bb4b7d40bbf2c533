"""What each key of the live view does to the run, and which page it opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaperon.cli.live_view.keyboard import net_steps
from chaperon.cli.live_view.layout import ERRORS, HELP
from chaperon.errors import ChaperonError

if TYPE_CHECKING:
    from chaperon.execution.run import Run

BY = "a key of the terminal"
"""What the report names as the cause of a change."""
STOPPED = f"stopped by {BY}"
STEP = 0.1
"""The share of the plan that a plus or minus key adds."""
LEAST = 0.1
"""The least multiple of the plan; less is a pause."""
PAGES = {"e": ERRORS, "?": HELP, "h": HELP}


class Controls:
    """Applies keys to *running*. *page* is the page that is shown, *answer* what the newest key did."""

    def __init__(self, running: Run) -> None:
        self._running = running
        self._stopped = False
        self.page = ""
        self.answer = ""

    def __repr__(self) -> str:
        return f"<Controls of {self._running}>"

    def press(self, typed: str) -> bool:
        """Apply the keys that were typed since the last call; return whether any of them means something.

        The plus and minus keys among them become one change.
        """
        known = [char for char in typed if char in "ps+=-_" or char in PAGES]
        if not known:
            return False
        self.answer = ""
        try:
            for char in known:
                if char in PAGES:
                    self.page = "" if self.page == PAGES[char] else PAGES[char]
                elif char == "p":
                    self._pause_or_resume()
                elif char == "s":
                    self._stop()
            steps = net_steps(known)
            if steps:
                self._scale(steps)
        except ChaperonError as exc:
            self.answer = str(exc)
        return True

    def _pause_or_resume(self) -> None:
        if self._running.paused:
            self._running.resume(by=BY)
            self.answer = "resumed"
        else:
            self._running.pause(by=BY)
            self.answer = "paused: no further visit begins until p is pressed again"

    def _scale(self, steps: int) -> None:
        before = self._running.factor
        factor = max(round(before + steps * STEP, 6), min(before, LEAST))
        if factor != before:
            self._running.scale(factor, by=BY)
            self.answer = f"scaled to {factor:.0%} of the plan"
        else:
            self.answer = f"{before:.0%} of the plan is the least: p pauses, s stops"

    def _stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self._running.stop(STOPPED, by=BY)
        self.answer = f"no further visit begins; running ones have {self._running.grace:g} s, Ctrl-C ends them now"
