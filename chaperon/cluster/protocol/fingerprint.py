"""Keyed hashes of secrets: by them a worker knows which of its secrets the master knows too, without their text."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

SIZE = 32
"""Hexadecimal digits of a fingerprint."""


def fingerprint(secret: str, run: int) -> str:
    """Return the HMAC-SHA256 of a secret, keyed with the number of the *run*, cut to `SIZE` hexadecimal digits."""
    return hmac.new(str(run).encode(), secret.encode("utf-8", "surrogatepass"), "sha256").hexdigest()[:SIZE]


def fingerprints(secrets: Iterable[str], run: int) -> tuple[str, ...]:
    """Return the fingerprints of all *secrets*, sorted."""
    return tuple(sorted(fingerprint(secret, run) for secret in secrets))
