"""Which names say that their value is a secret: headers, parameters, keys of configuration."""

from __future__ import annotations

import re

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]")
_ENDINGS = (
    "password", "passwd", "passwort", "passphrase", "passcode", "pwd", "secret", "secrets", "token", "credential",
    "credentials", "authorization", "cookie", "signature", "jwt", "apikey", "accesskey", "secretkey",
    "privatekey", "signingkey", "authkey", "sessionkey", "masterkey", "sessid", "sessionid", "hmac",
)  # fmt: skip
"""What such a name ends with, written as one word in small letters."""
_NOUNS = frozenset({
    "auth", "oauth", "sig", "sid", "otp", "totp", "csrf", "xsrf", "bearer", "creds", "cred", "cookies",
})  # fmt: skip
"""What the last word of such a name is."""
_KEYS = frozenset({
    "api", "access", "secret", "private", "account", "subscription", "functions", "function", "master",
    "encryption", "signing", "ssh", "auth", "client", "shared", "app", "application", "admin", "service",
    "storage", "session", "host", "deploy", "server",
})  # fmt: skip
"""A key with one of these words before it is a secret; a primary, a sort or a cache key is none."""
_LATER = frozenset({
    "value", "confirm", "confirmation", "again", "repeat", "new", "old", "header", "string", "hash", "encoded",
    "v",
})  # fmt: skip
"""Words that may follow the one that counts."""
WEAK = frozenset({"session", "code", "pass", "pin", "key", "ticket", "assertion", "sso"})
"""Names that hold a secret in a query and often none elsewhere."""
WHOLE = ("authorization", "cookie")
"""A header whose name ends so is a secret up to the end of its line."""
HARMLESS = frozenset({
    "user-agent", "content-type", "content-length", "content-encoding", "content-language", "transfer-encoding",
    "host", "origin", "referer", "connection", "cache-control", "pragma", "dnt", "te", "upgrade",
    "upgrade-insecure-requests", "x-requested-with", "range", "expect", "date", "via", "keep-alive", "priority",
    "traceparent", "tracestate", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded",
    "x-request-id", "x-correlation-id", "idempotency-key",
})  # fmt: skip
_HARMLESS_STARTS = ("accept", "sec-fetch-", "sec-ch-", "sec-websocket-", "if-")


def names_a_secret(name: str) -> bool:
    """Whether the value under *name* is a secret wherever it stands: "password", "X-Api-Key", "accessToken"."""
    words = [word.lower() for word in _WORDS.findall(name)]
    while len(words) > 1 and words[-1] in _LATER:
        words.pop()
    if not words:
        return False
    if "".join(words).endswith(_ENDINGS) or words[-1] in _NOUNS:
        return True
    return words[-1] in ("key", "keys") and len(words) > 1 and words[-2] in _KEYS


def is_weak(name: str) -> bool:
    """Whether the value under *name* is a secret in a query, or where it looks random."""
    return name.lower().rpartition(".")[2] in WEAK


def harmless_header(name: str) -> bool:
    """Whether a header says nothing that is to be hidden, such as Accept or User-Agent."""
    low = name.lower()
    return low in HARMLESS or low.startswith(_HARMLESS_STARTS)
