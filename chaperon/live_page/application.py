"""The page as a WSGI application: the shell for all, the rest for those who have a token."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import parse_qs

from chaperon.errors import ActionRefused, ViewerGone
from chaperon.live_page.access import Access, Refusal, Role, is_bearer, is_upgrade, upgrade_refusal
from chaperon.live_page.control import MOST_BYTES, act, parse_action
from chaperon.live_page.door import SOCKET, SendingSocket
from chaperon.live_page.feed import PageFeed
from chaperon.live_page.viewers import Viewer
from chaperon.live_page.zoom import zoomed_rows
from chaperon.report.page.document import live_shell, template

if TYPE_CHECKING:
    from chaperon.live_page.launcher import Launcher

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
JSON, TEXT, HTML = "application/json", "text/plain; charset=utf-8", "text/html; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_HEADERS = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Content-Security-Policy", "frame-ancestors 'none'"),
    ("X-Frame-Options", "DENY"),
]


class Metrics(Protocol):
    """The metrics of a run, as Prometheus scrapes them with a bearer token."""

    @property
    def token(self) -> str:
        """The token."""

    def text(self) -> bytes:
        """Return all metrics in the OpenMetrics text format."""


class PageAnswer(NamedTuple):
    """The response to one request."""

    status: str
    body: bytes
    kind: str = JSON


class PageApplication:
    """Answers the requests to one page, at the path where it is mounted.

    *metrics* are those for Prometheus, which need a token of the page or their own; *launcher* starts runs,
    where the page may.
    """

    def __init__(
        self, feed: PageFeed, access: Access, *, metrics: Metrics | None = None, launcher: Launcher | None = None
    ) -> None:
        self.feed = feed
        self.access = access
        self.metrics = metrics
        self.launcher = launcher

    def __repr__(self) -> str:
        return f"<PageApplication of {self.feed}>"

    def may_upgrade(self, environ: Environ) -> bool:
        """Return whether a request may become a WebSocket."""
        return (
            is_upgrade(environ)
            and environ.get("PATH_INFO") == "/socket"
            and self._refusal(environ) is None
            and upgrade_refusal(environ) is None
        )

    def __call__(self, environ: Environ, respond: StartResponse) -> Iterable[bytes]:
        """PageAnswer one request. Blocks while a WebSocket is open."""
        if environ.get(SOCKET) is not None:
            self._serve_socket(environ)
            return []
        answer = self._answer(environ)
        body = b"" if environ.get("REQUEST_METHOD") == "HEAD" else answer.body
        respond(answer.status, [("Content-Type", answer.kind), ("Content-Length", str(len(answer.body))), *_HEADERS])
        return [body]

    def _refusal(self, environ: Environ) -> Refusal | None:
        """Return why a request is refused; the shell alone is for those without a token."""
        refused = self.access.refusal(environ)
        if refused is not None:
            return refused
        path = environ.get("PATH_INFO")
        scraped = path == "/metrics" and self.metrics is not None and is_bearer(environ, self.metrics.token)
        if path not in ("", "/") and not scraped and self.access.role(environ) is None:
            return Refusal("401 Unauthorized", "a token of the page is needed, as bearer token")
        return None

    def _answer(self, environ: Environ) -> PageAnswer:
        refused = self._refusal(environ)
        if refused is not None:
            return _error(*refused)
        path, method = environ.get("PATH_INFO", ""), environ.get("REQUEST_METHOD")
        if path == "/control":
            return self._control(environ) if method == "POST" else _error("405 Method Not Allowed", "only POST")
        if method not in ("GET", "HEAD"):
            return _error("405 Method Not Allowed", "only GET")
        if path in ("", "/"):
            return self._shell(environ)
        page = self._pages.get(path)
        return _error("404 Not Found", "there is no such page") if page is None else page(self, environ)

    def _shell(self, environ: Environ) -> PageAnswer:
        host = environ["HTTP_HOST"]
        return PageAnswer("200 OK", live_shell(f"'self' ws://{host} wss://{host}").encode(), HTML)

    def _state(self, environ: Environ) -> PageAnswer:
        query = parse_qs(environ.get("QUERY_STRING", ""))
        if "from" not in query and "to" not in query:
            return PageAnswer("200 OK", self.feed.state())
        try:
            start, end = float(query["from"][0]), float(query["to"][0])
        except (KeyError, ValueError):
            return _error("400 Bad Request", "from= and to= are seconds from the start of the run")
        plan = self.feed.plan
        rows: list[dict[str, Any]] = []
        if plan is not None and plan.run is not None:
            with self.feed.computing:
                rows = zoomed_rows(plan.run, plan.redact, start, end, self.feed.breathe)
        return _json("200 OK", {"from": start, "to": end, "rows": rows})

    def _row(self, environ: Environ) -> PageAnswer:
        query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        try:
            scenario, name, kind = (query[each][0] for each in ("scenario", "name", "kind"))
        except KeyError:
            return _error("400 Bad Request", "scenario=, name= and kind= name a series")
        return PageAnswer("200 OK", self.feed.opened(scenario, name, kind))

    def _hello(self, environ: Environ) -> PageAnswer:
        launcher = self.launcher
        form = None if launcher is None else launcher.form()
        return _json("200 OK", {"role": self.access.role(environ), "launcher": form})

    def _news(self, environ: Environ) -> PageAnswer:
        found = self.feed.since(*_place(environ))
        messages = "null" if found is None else f"[{','.join(found)}]"
        return PageAnswer("200 OK", f'{{"messages":{messages}}}'.encode())

    def _socket(self, environ: Environ) -> PageAnswer:
        refused = upgrade_refusal(environ)
        return _error(*(refused or Refusal("426 Upgrade Required", "this is the address of a WebSocket")))

    def _template(self, environ: Environ) -> PageAnswer:
        return PageAnswer("200 OK", template().encode(), HTML)

    def _metrics(self, environ: Environ) -> PageAnswer:
        if self.metrics is None:
            return _error("404 Not Found", "metrics are served with --metrics")
        return PageAnswer("200 OK", self.metrics.text(), OPENMETRICS)

    def _plan(self, environ: Environ) -> PageAnswer:
        if self.launcher is None:
            return _error("404 Not Found", "runs are started from here under `chaperon page` alone")
        query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        try:
            return _json("200 OK", self.launcher.drawing(query))
        except ActionRefused as exc:  # what is being typed is no error yet
            return _json("200 OK", {"error": str(exc)})

    _pages: Mapping[str, Callable[[PageApplication, Environ], PageAnswer]] = {
        "/state": _state,
        "/row": _row,
        "/hello": _hello,
        "/news": _news,
        "/socket": _socket,
        "/template": _template,
        "/metrics": _metrics,
        "/plan": _plan,
    }

    def _control(self, environ: Environ) -> PageAnswer:
        role: Role | None = self.access.role(environ)
        if role != "control":
            return _error("403 Forbidden", "this token is for reading only")
        try:
            asked = parse_action(_body(environ))
            who = f"the page ({environ.get('REMOTE_ADDR') or 'unknown address'})"
            if asked["action"] == "start" and self.launcher is not None:
                return _json("202 Accepted", {"done": self.launcher.start(asked)})
            plan = self.feed.plan
            return _json("202 Accepted", {"done": act(None if plan is None else plan.run, asked, who)})
        except ActionRefused as exc:
            return _error(exc.status, str(exc))

    def _serve_socket(self, environ: Environ) -> None:
        socket: SendingSocket = environ[SOCKET]
        viewer = Viewer(socket)
        with self.feed.viewing(viewer, *_place(environ)) as admitted:
            if admitted:
                with suppress(ViewerGone):
                    viewer.serve()


def _body(environ: Environ) -> bytes:
    """Return the body of a request for an action. Raises ActionRefused."""
    kind = str(environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()
    if kind != JSON:
        raise ActionRefused("415 Unsupported Media Type", f"only {JSON} is read")
    length = str(environ.get("CONTENT_LENGTH", ""))
    if not length.isascii() or not length.isdigit():
        raise ActionRefused("411 Length Required", "the request does not say how long it is")
    if int(length[:9]) > MOST_BYTES or len(length) > 9:
        raise ActionRefused("413 Content Too Large", f"a request has {MOST_BYTES:,} bytes at most")
    return bytes(environ["wsgi.input"].read(int(length)))


def _place(environ: Environ) -> tuple[str, int]:
    """Return the run and the number of the last message that a viewer has."""
    query = parse_qs(environ.get("QUERY_STRING", ""))
    number = query.get("after", ["-1"])[0]
    return query.get("run", [""])[0], int(number) if number.isascii() and number.isdigit() and len(number) < 10 else -1


def _json(status: str, values: Mapping[str, Any]) -> PageAnswer:
    return PageAnswer(status, json.dumps(values, allow_nan=False, separators=(",", ":")).encode())


def _error(status: str, text: str) -> PageAnswer:
    return _json(status, {"error": text})
