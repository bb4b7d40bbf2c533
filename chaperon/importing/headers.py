"""Headers of recorded requests that a scenario keeps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chaperon.importing.secret_values import SecretValues

DROPPED = frozenset({
    "accept-encoding", "alt-used", "baggage", "cache-control", "connection", "content-length", "dnt", "expect",
    "forwarded", "host", "if-match", "if-modified-since", "if-none-match", "if-range", "keep-alive", "newrelic",
    "pragma", "priority", "proxy-connection", "save-data", "sentry-trace", "te", "traceparent", "tracestate",
    "trailer", "transfer-encoding", "upgrade", "upgrade-insecure-requests", "via", "x-amzn-trace-id",
    "x-client-data", "x-cloud-trace-context", "x-correlation-id", "x-request-id",
})  # fmt: skip
"""Headers that the client sets by itself, or that say something about the recording alone."""

STARTS = (":", "sec-", "x-b3-", "x-datadog-", "x-forwarded-", "x-newrelic-", "cf-")


def kept_headers(headers: Iterable[tuple[str, str]], secrets: SecretValues, *, cookies: bool = False) -> dict[str, Any]:
    """Return the headers to send, secrets replaced; the values of repeated ones are joined by a comma (RFC 9110).

    The Cookie header is kept with *cookies* only: elsewhere the session's jar makes it.
    """
    kept: dict[str, Any] = {}
    spelling: dict[str, str] = {}
    for name, value in headers:
        low = name.lower()
        if low in DROPPED or low.startswith(STARTS) or (low == "cookie" and not cookies):
            continue
        if low in spelling:
            kept[spelling[low]] = f"{kept[spelling[low]]}{'; ' if low == 'cookie' else ', '}{value}"
        else:
            spelling[low] = name
            kept[name] = value
    return {name: secrets.header(name, value) for name, value in kept.items()}
