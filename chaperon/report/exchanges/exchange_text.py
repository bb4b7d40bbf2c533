"""A request and its response as text: for `chaperon check` and for the files of `--failures`."""

from __future__ import annotations

from chaperon.measure.exchange import BODY, HANDSHAKE, MESSAGE, Exchange, SocketMessage
from chaperon.measure.quantity import count_text
from chaperon.report.format import time_text

BEGUN = frozenset({"bad encoding", "body too large", "truncated"})
"""Error classes of requests that got the beginning of a response. Its status is not in their exchange."""
UNREAD = "a response that was not read to its end"


def summary_text(exchange: Exchange) -> str:
    """Return the exchange in one line: method, URL, status, the first line of the response's body."""
    if exchange.status or exchange.error not in BEGUN:
        return exchange.summary
    return f"{exchange.method} {exchange.url} → {UNREAD}"


def exchange_lines(exchange: Exchange, shown: int | None = None) -> list[str]:
    """Return what is known of a request and its response as lines, marked as curl marks them.

    "*" is before facts: its moment in the run, its step, user and visit, its service time with the stages; ">" before
    each line sent, "<" before each one received. The messages of a WebSocket follow its handshake.
    *shown* is the maximum length of each body in bytes; None: all of it that was kept. Secrets and
    control characters are not replaced here.
    """
    return [
        *(f"* {fact}" for fact in _facts(exchange)),
        *([] if _continues(exchange) else _request_lines(exchange, shown)),
        *(line for message in exchange.messages for line in _message_lines(message, shown)),
        *([f"* {exchange.closed}"] if exchange.closed else []),
    ]


def _continues(exchange: Exchange) -> bool:
    """Whether the handshake of the messages is in an exchange before this one."""
    return bool(exchange.messages) and not exchange.sent_headers


def _request_lines(exchange: Exchange, shown: int | None) -> list[str]:
    return [
        f"> {exchange.method} {exchange.url}",
        *(f"> {line}" for line in exchange.sent_headers),
        *_body_lines(">", exchange.sent_body, exchange.sent_size, shown),
        *_received_lines(exchange, shown),
    ]


def _message_lines(message: SocketMessage, shown: int | None) -> list[str]:
    mark, kind = ">" if message.sent else "<", "binary message" if message.binary else "message"
    size = f"{mark} {kind} of {count_text(message.size, 'byte')} at {message.at:.3f} s"
    return [size, *_body_lines(mark, message.text, message.size, shown, most=MESSAGE)[1:]]


def _facts(exchange: Exchange) -> list[str]:
    step = [exchange.step] if exchange.step else []
    spent = [(stage, f"{stage.removeprefix(HANDSHAKE)} {time_text(time)}") for stage, time in exchange.timings if time]
    stages = ", ".join(text for stage, text in spent if not stage.startswith(HANDSHAKE))
    before = ", ".join(text for stage, text in spent if stage.startswith(HANDSHAKE))
    return [
        ", ".join(
            [f"ended {exchange.at:.3f} s after the start", f"user {exchange.user}, visit {exchange.visit}", *step]
        ),
        f"took {time_text(exchange.took)}" + (f": {stages}" if stages else ""),
        *([f"handshake: {before}"] if before else []),
    ]


def _received_lines(exchange: Exchange, shown: int | None) -> list[str]:
    if not exchange.status:
        return [f"< {UNREAD if exchange.error in BEGUN else 'no response'}"]
    status = f"< {exchange.status} {exchange.reason}".rstrip()
    headers = [f"< {line}" for line in exchange.headers]
    return [status, *headers, *_body_lines("<", exchange.body, exchange.size, shown)]


def _body_lines(mark: str, body: str, size: int, shown: int | None, most: int = BODY) -> list[str]:
    if not body:
        return []
    part = body if shown is None else body.encode(errors="surrogatepass")[:shown].decode(errors="ignore")
    rest = [f"{mark} … {count_text(size, 'byte')} in all"] if len(part) < len(body) or size > most else []
    return [mark, *(f"{mark} {line.rstrip()}" for line in part.rstrip("\n").split("\n")), *rest]
