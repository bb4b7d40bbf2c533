"""Names whose values are secrets: of headers, parameters, configuration keys."""

from __future__ import annotations

import re

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]")
_ENDINGS = (
    "password", "passwd", "passwort", "passphrase", "passcode", "pwd", "secret", "secrets", "token", "credential",
    "credentials", "authorization", "cookie", "signature", "jwt", "apikey", "accesskey", "secretkey",
    "privatekey", "signingkey", "authkey", "sessionkey", "masterkey", "sessid", "sessionid", "hmac",
)  # fmt: skip
"""Endings of such names, in lower case and without separators."""
_NOUNS = frozenset({
    "auth", "oauth", "sig", "sid", "otp", "totp", "csrf", "xsrf", "bearer", "creds", "cred", "cookies",
})  # fmt: skip
"""Last words of such names."""
_KEYS = frozenset({
    "api", "access", "secret", "private", "account", "subscription", "functions", "function", "master",
    "encryption", "signing", "ssh", "auth", "client", "shared", "app", "application", "admin", "service",
    "storage", "session", "host", "deploy", "server",
})  # fmt: skip
"""Words before "key" that make it a secret; a primary, sort or cache key is not one."""
_LATER = frozenset({
    "value", "confirm", "confirmation", "again", "repeat", "new", "old", "header", "string", "hash", "encoded",
    "v",
})  # fmt: skip
"""Words after the decisive one, which are ignored."""
WEAK = frozenset({"session", "code", "pass", "pin", "key", "ticket", "assertion", "sso"})
"""Names whose values are secrets in a query string, but often not elsewhere."""
WHOLE = ("authorization", "cookie")
"""Endings of the names of headers whose whole line is a secret."""
HARMLESS = frozenset({
    "user-agent", "content-type", "content-length", "content-encoding", "content-language", "transfer-encoding",
    "host", "origin", "referer", "connection", "cache-control", "pragma", "dnt", "te", "upgrade",
    "upgrade-insecure-requests", "x-requested-with", "range", "expect", "date", "via", "keep-alive", "priority",
    "traceparent", "tracestate", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded",
    "x-request-id", "x-correlation-id", "idempotency-key",
})  # fmt: skip
_HARMLESS_STARTS = ("accept", "sec-fetch-", "sec-ch-", "sec-websocket-", "if-")


def names_a_secret(name: str) -> bool:
    """Return whether the value of *name* is a secret anywhere: "password", "X-Api-Key", "accessToken"."""
    words = [word.lower() for word in _WORDS.findall(name)]
    while len(words) > 1 and words[-1] in _LATER:
        words.pop()
    if not words:
        return False
    if "".join(words).endswith(_ENDINGS) or words[-1] in _NOUNS:
        return True
    return words[-1] in ("key", "keys") and len(words) > 1 and words[-2] in _KEYS


def is_weak(name: str) -> bool:
    """Return whether the value of *name* is a secret in a query string, or if it looks random."""
    return name.lower().rpartition(".")[2] in WEAK


def harmless_header(name: str) -> bool:
    """Return whether the values of a header need not be hidden, such as Accept or User-Agent."""
    low = name.lower()
    return low in HARMLESS or low.startswith(_HARMLESS_STARTS)
