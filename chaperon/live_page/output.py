"""The live page as an output of a run."""

from __future__ import annotations

from collections.abc import Callable

from chaperon.live_page.server import LivePage
from chaperon.report.outputs.closed_second import ClosedSecond
from chaperon.report.outputs.output import Output, PlannedRun
from chaperon.report.report import Report


class PageOutput(Output):
    """Shows a run on *page* while it goes on; several runs one after another.

    *listening* is called with the page once it is served; without *served*, another server has it. The page stays as
    it is after the end, until it is closed.
    """

    name = "the page"

    def __init__(
        self, page: LivePage, *, served: bool = True, listening: Callable[[LivePage], object] = lambda page: None
    ) -> None:
        self.page = page
        self._served = served
        self._listening: Callable[[LivePage], object] | None = listening

    def listen(self) -> None:
        """Serve the page, before there is a run. Raises OutputError if the address is taken."""
        self.page.listen()
        if self._listening is not None:
            listening, self._listening = self._listening, None
            listening(self.page)

    def start(self, plan: PlannedRun) -> None:
        """Serve the page, and show the run that is about to start. Raises OutputError if the address is taken."""
        if self._served:
            self.listen()
            self.notices = {"page": self.page.shown_url}
        self.page.feed.begin(plan)

    def second(self, second: ClosedSecond) -> None:
        """Show one second."""
        self.page.feed.second(second)

    def late(self, second: ClosedSecond) -> None:
        """Show what came late for a second."""
        self.page.feed.late(second)

    def finish(self, report: Report) -> None:
        """Show the final report. Blocks for a few seconds at most, until those who look at the page have it."""
        self.page.feed.finish(report)
