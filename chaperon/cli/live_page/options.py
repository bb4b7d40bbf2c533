"""The live page on the command line: its options, its lines on the terminal, and how long it stays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from chaperon.cli.ending.signals import interruptible_setup
from chaperon.cli.terminal.lines import print_notice
from chaperon.clock import HubClock
from chaperon.errors import UsageError
from chaperon.report.format import time_text

if TYPE_CHECKING:
    from chaperon.live_page.output import PageOutput
    from chaperon.live_page.server import LivePage
    from chaperon.report.outputs.output import Output

PAGE_OPTIONS = ("page", "page_at", "page_token", "browser", "linger")
"""The options of the page, by parameter name."""
LOOPBACK = "127.0.0.1:0"
_REDIRECT = '<!doctype html><meta http-equiv="refresh" content="0; url={url}">'
_opened: list[TemporaryDirectory[str]] = []
"""Folders with files that browsers open; they are removed when the process ends."""


def wants_page(values: Mapping[str, Any]) -> bool:
    """Return whether the options ask for a page."""
    return any(values.get(name) for name in ("page", "page_at", "browser"))


def make_page(values: Mapping[str, Any], parse: Callable[[str, str], tuple[str, int]]) -> PageOutput | None:
    """Return the page that the options ask for, None if they do not. Raises UsageError."""
    if not wants_page(values):
        if values.get("linger") is not None:
            raise UsageError("--linger is how long the page stays: give --page with it")
        return None
    from chaperon.live_page.output import PageOutput  # late: a run without a page needs no server
    from chaperon.live_page.server import LivePage

    host, port = parse(values.get("page_at") or LOOPBACK, "--page-at")
    page = LivePage(host, port, token=values.get("page_token") or "")
    return PageOutput(page, listening=print_and_open if values.get("browser") else print_lines)


def print_lines(page: LivePage) -> None:
    """Print where the page is."""
    with suppress(OSError, ValueError):  # standard error is closed: the page is served nevertheless
        for line in page.lines():
            print_notice(line)


def print_and_open(page: LivePage) -> None:
    """Print where the page is, and open it in a browser."""
    print_lines(page)
    open_browser(page.url)


def open_browser(url: str) -> None:
    """Open *url* in a browser with windows, if there is one; a line says so if not.

    The browser gets the URL from a file that only this user can read: arguments of a process can be read by others.
    """
    import webbrowser  # late: few runs open one

    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        browser = None
    if browser is None or (type(browser) is webbrowser.GenericBrowser and not os.environ.get("BROWSER")):
        print_notice("there is no browser with windows here: open the URL yourself")
        return
    folder = TemporaryDirectory(prefix="chaperon-page-")
    _opened.append(folder)
    file = Path(folder.name) / "open.html"
    file.write_text(_REDIRECT.format(url=url), encoding="utf-8")
    if not browser.open(file.as_uri()):
        print_notice("the browser did not start: open the URL yourself")


def page_of(outputs: Sequence[Output], values: Mapping[str, Any]) -> LivePage | None:
    """Return the page among *outputs*, None if there is none."""
    if not wants_page(values):
        return None
    from chaperon.live_page.output import PageOutput  # late: as above

    return next((output.page for output in outputs if isinstance(output, PageOutput)), None)


def serve_metrics(page: LivePage, outputs: Sequence[Output]) -> None:
    """Let *page* serve the metrics for Prometheus, too, if they are among *outputs*."""
    from chaperon.report.outputs.prometheus import PrometheusOutput  # late: as above

    page.application.metrics = next((each for each in outputs if isinstance(each, PrometheusOutput)), None)


@contextmanager
def closing_page(outputs: Sequence[Output], values: Mapping[str, Any]) -> Iterator[None]:
    """Close the page among *outputs* at the end of the block, if there is one, also after an error."""
    try:
        yield
    finally:
        if (page := page_of(outputs, values)) is not None:
            page.close()


def stay(outputs: Sequence[Output], values: Mapping[str, Any]) -> None:
    """Keep the page for the span of --linger after the end; Ctrl-C ends that."""
    page, span = page_of(outputs, values), values.get("linger")
    if page is None or not span:
        return
    with suppress(OSError, ValueError):
        print_notice(f"the page stays for {time_text(span)}; Ctrl-C ends it")
    with suppress(KeyboardInterrupt), interruptible_setup():
        HubClock().sleep(span)
