"""Redaction: replaces secrets in text, those known literally and those recognised by their shape."""

from __future__ import annotations

from collections.abc import Iterable

from chaperon.report.redaction.one_line import one_line
from chaperon.report.redaction.secret_search import SHORTEST, SecretSearch
from chaperon.report.redaction.secret_shapes import HIDDEN, hide_shapes

MOST = 10_000
"""Maximum number of secrets known literally; further ones are ignored."""
KEPT = 4_096
LONG = 1_000
"""The redacted forms of KEPT texts of at most LONG characters are cached, since names recur every second."""


class Redactor:
    """A callable that replaces, in a text, the *secrets* it knows and everything that has the shape of one.

    Which secrets are found, in which forms, says `SecretSearch`. Redacting is idempotent.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._search = SecretSearch()
        self._done: dict[str, str] = {}
        self.add(secrets)

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._secrets)} secrets>"

    def __call__(self, text: str) -> str:
        """Return *text* without secrets."""
        known = self._done.get(text)
        if known is not None:
            return known
        hidden = hide_shapes(self.hide_known(text))
        if len(text) <= LONG:
            if len(self._done) >= KEPT:
                self._done.clear()
            self._done[text] = hidden
        return hidden

    @property
    def longest(self) -> int:
        """Length, in characters, of the longest form of a secret that is known."""
        return self._search.longest

    def redacted_line(self, text: str) -> str:
        """Return *text* without secrets, as one line that cannot control a terminal."""
        return one_line(self(text))

    def add(self, secrets: Iterable[str]) -> None:
        """Add secrets, each also line by line."""
        for secret in [part for whole in secrets for part in {whole, *whole.splitlines()}]:
            if len(secret) >= SHORTEST and secret.strip("*") and secret not in self._secrets:
                if len(self._secrets) >= MOST:
                    return
                self._secrets.add(secret)
                self._search.add(secret)
                self._done.clear()

    def hide_known(self, text: str, *, goes_on: bool = False) -> str:
        """Return *text* without the known secrets; what only looks like a secret stays.

        The end of a text that *goes_on* is not seen as a cut.
        """
        parts: list[str] = []
        done = 0
        for start, end in self._search.spans(text, goes_on=goes_on):
            parts += (text[done:start], HIDDEN)
            done = end
        return "".join([*parts, text[done:]]) if parts else text


def redacted(text: str) -> str:
    """Return *text* with everything replaced that has the shape of a secret."""
    return _by_shape(text)


def redacted_line(text: str) -> str:
    """Return *text* as one line: shapes of secrets are replaced, characters that control a terminal escaped."""
    return one_line(_by_shape(text))


_by_shape = Redactor()
