"""A request and its response as text: for `chaperon check` and for the files of `--failures`."""

from __future__ import annotations

from chaperon.measure.exchange import BODY, Exchange
from chaperon.measure.quantity import count_text
from chaperon.report.format import time_text


def exchange_lines(exchange: Exchange, shown: int | None = None) -> list[str]:
    """Return what is known of a request and its response as lines, marked as curl marks them.

    "*" is before facts: its moment in the run, its step, user and visit, its service time with the stages; ">" before
    each line sent, "<" before each one received. *shown* is the maximum length of each body in bytes; None: all of it
    that was kept. Secrets are not replaced here, nor control characters.
    """
    return [
        *(f"* {fact}" for fact in _facts(exchange)),
        f"> {exchange.method} {exchange.url}",
        *(f"> {line}" for line in exchange.sent_headers),
        *_body_lines(">", exchange.sent_body, exchange.sent_size, shown),
        *_received_lines(exchange, shown),
    ]


def _facts(exchange: Exchange) -> list[str]:
    step = [exchange.step] if exchange.step else []
    stages = ", ".join(f"{stage} {time_text(spent)}" for stage, spent in exchange.timings if spent)
    return [
        ", ".join(
            [f"ended {exchange.at:.3f} s after the start", f"user {exchange.user}, visit {exchange.visit}", *step]
        ),
        f"took {time_text(exchange.took)}" + (f": {stages}" if stages else ""),
    ]


def _received_lines(exchange: Exchange, shown: int | None) -> list[str]:
    if not exchange.status:
        return ["< no response"]
    status = f"< {exchange.status} {exchange.reason}".rstrip()
    headers = [f"< {line}" for line in exchange.headers]
    return [status, *headers, *_body_lines("<", exchange.body, exchange.size, shown)]


def _body_lines(mark: str, body: str, size: int, shown: int | None) -> list[str]:
    if not body:
        return []
    part = body if shown is None else body.encode(errors="surrogatepass")[:shown].decode(errors="ignore")
    rest = [f"{mark} … {count_text(size, 'byte')} in all"] if len(part) < len(body) or size > BODY else []
    return [mark, *(f"{mark} {line.rstrip()}" for line in part.rstrip("\n").split("\n")), *rest]
