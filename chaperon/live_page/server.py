"""LivePage: a page with its server, its tokens and its URLs."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from types import TracebackType

from chaperon.clock import Clock, HubClock
from chaperon.errors import OutputError, UsageError
from chaperon.live_page.access import Access, Tokens
from chaperon.live_page.application import PageApplication
from chaperon.live_page.door import PageServer
from chaperon.live_page.feed import PageFeed

PLAIN = "the page is plain HTTP: its token can be read on the way; a proxy with TLS in front of it prevents that"


class LivePage:
    """A page that shows runs while they go on, at *host*:*port*; port 0 is any free one.

    *token* allows to change the run; one is made where none is given, and one for reading only. Beyond loopback a
    token must be given. *names* are further host names by which browsers ask for the page. As a context
    manager it has ended when the block is left. Raises UsageError for a token that is missing or not valid.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        token: str = "",
        names: Iterable[str] = (),
        clock: Clock | None = None,
    ) -> None:
        self.beyond_loopback = not is_loopback(host)
        if self.beyond_loopback and not token:
            raise UsageError(
                f"a page at {host or '0.0.0.0'} can be reached by other machines: give it a token (--page-token, "
                "CHAPERON_PAGE_TOKEN), or an address like 127.0.0.1:8089"
            )
        self._host, self._port = host, port
        self._given = bool(token)
        self.tokens = Tokens(token) if token else Tokens()
        own = [socket.gethostname()] if host in ("", "0.0.0.0", "::") else []
        self.feed = PageFeed(clock or HubClock())
        self.application = PageApplication(self.feed, Access(self.tokens, host, [*names, *own]))
        self._server: PageServer | None = None

    def __repr__(self) -> str:
        return f"<LivePage at {self.address}>"

    def __enter__(self) -> LivePage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def address(self) -> str:
        """The URL without a token; it has the real port once the page is listening."""
        host = socket.gethostname() if self._host in ("", "0.0.0.0", "::") else self._host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}/"

    @property
    def url(self) -> str:
        """The URL of the page for those who may change the run."""
        return f"{self.address}#{self.tokens.control}"

    @property
    def shown_url(self) -> str:
        """The URL as it is printed: a token that was given is not repeated."""
        return f"{self.address}# with the token that was given after it" if self._given else self.url

    @property
    def read_only_url(self) -> str:
        """The URL of the page for those who may only see the run."""
        return f"{self.address}#{self.tokens.read}"

    def listen(self) -> LivePage:
        """Begin to serve, unless it does already; return the page. Raises OutputError if the address is taken."""
        if self._server is None:
            server = PageServer((self._host, self._port), self.application)
            try:
                server.start()
            except OSError as exc:
                where = f"{self._host}:{self._port}"
                raise OutputError(
                    f"cannot serve the page at {where}: {exc.strerror or exc}; give another port"
                ) from exc
            self._server, self._port = server, int(server.server_port or 0)
        return self

    def close(self) -> None:
        """Tell the viewers that the page ends, and stop serving. Blocks for a few seconds at most."""
        if self._server is not None:
            self.feed.close()
            self._server.stop(timeout=1)
            self._server = None

    def lines(self) -> list[str]:
        """Return what is printed of the page, a line each; a token that was given is not repeated."""
        found = [f"the page is at {self.shown_url}", f"to look only: {self.read_only_url}"]
        return [*found, PLAIN] if self.beyond_loopback else found


def is_loopback(host: str) -> bool:
    """Return whether *host* can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
