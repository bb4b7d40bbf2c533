"""The page that shows a run while it goes on, and lets a person change it.

`serve` and `wsgi` are for programs of one's own; the command line has `--page`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaperon.execution.run import Run
    from chaperon.live_page.application import PageApplication
    from chaperon.live_page.server import LivePage

__all__ = ["serve", "wsgi"]


def serve(running: Run, *, host: str = "127.0.0.1", port: int = 0, token: str = "") -> LivePage:
    """Serve the page of *running*, a run that has started, at *host*:*port*; return the page with its `url`.

    Port 0 is any free one. *token* allows to change the run; one is made where none is given, and another one for
    reading only. Beyond loopback it must be given. Returns at once. The page shows the seconds from now on, so
    call it right after the start; it stays after the end of the run until `close`, or the end of its block.
    Raises OutputError if the address is taken, UsageError without a token beyond loopback, and as `Run.add_output`.
    """
    from chaperon.live_page.output import PageOutput  # late: the page needs a server, programs without one do not
    from chaperon.live_page.server import LivePage

    page = LivePage(host, port, token=token)
    try:
        running.add_output(PageOutput(page))
    except BaseException:
        page.close()
        raise
    return page


def wsgi(running: Run, *, token: str = "", hosts: Iterable[str] = ()) -> PageApplication:
    """Return the page of *running*, a run that has started, as a WSGI application for a server of one's own.

    Mount it under a path of its own that ends with "/". Its `access.tokens` has the token that goes behind # in the
    URL: *token*, or one that is made. *hosts* are the host names under which browsers know the server; loopback
    names are known. The server must run on gevent, in the process of the run. Where it does not speak
    WebSocket the page asks once a second. Raises as `Run.add_output`.
    """
    from chaperon.live_page.output import PageOutput  # late: as above
    from chaperon.live_page.server import LivePage

    page = LivePage("127.0.0.1", token=token, names=hosts)
    running.add_output(PageOutput(page, served=False))
    return page.application
