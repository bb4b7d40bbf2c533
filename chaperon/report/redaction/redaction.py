"""Redaction: replaces secrets in text, those known literally and those recognised by their shape."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from chaperon.report.redaction.secret_shapes import HIDDEN, hide_shapes

SHORTEST = 4
"""Minimum length, in characters, of a secret that is replaced; shorter ones occur within many words."""
ANYWHERE = 8
"""Length, in characters, from which a secret is replaced within words too, not only as a whole word."""
MOST = 10_000
"""Maximum number of secrets known literally; further ones are ignored."""
KEPT = 4_096
LONG = 1_000
"""The redacted forms of KEPT texts of at most LONG characters are cached, since names recur every second."""

_WORD = "[A-Za-z0-9]"
# line and paragraph separators, bidirectional marks, embeddings, overrides, isolates
_MARKS = (0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
STEERING = (*range(32), *range(127, 160), *_MARKS)
"""Characters that control a terminal or change how a line reads: C0 and C1 controls and the marks above."""
_UNSEEN = {
    **{code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in STEERING},
    **{ord(char): escaped for char, escaped in (("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))},
}


def one_line(text: str) -> str:
    """Return *text* as one line that cannot control a terminal: control, bidi and line characters are escaped."""
    return text if text.isascii() and text.isprintable() else text.translate(_UNSEEN)


class Redactor:
    """A callable that replaces, in a text, the *secrets* it knows and everything that has the shape of one.

    Secrets of fewer than SHORTEST characters are ignored; those of fewer than ANYWHERE are replaced
    as whole words only. Percent-encoded, JSON-, Python- and HTML-escaped forms are replaced too.
    Redacting is idempotent.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._forms: dict[str, None] = {}
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
                self._forms.update(dict.fromkeys(_forms(secret)))
                self._done.clear()

    def hide_known(self, text: str) -> str:
        """Return *text* without the known secrets; what only looks like a secret stays."""
        # searching for each is far faster than one pattern of all of them, and few texts contain one
        there = sorted((form for form in self._forms if form in text), key=len, reverse=True)
        return re.sub("|".join(map(_literal, there)), HIDDEN, text) if there else text


def redacted(text: str) -> str:
    """Return *text* with everything replaced that has the shape of a secret."""
    return _by_shape(text)


def redacted_line(text: str) -> str:
    """Return *text* as one line: shapes of secrets are replaced, characters that control a terminal escaped."""
    return one_line(_by_shape(text))


_by_shape = Redactor()


def _literal(form: str) -> str:
    if len(form) >= ANYWHERE:
        return re.escape(form)
    return f"(?<!{_WORD}){re.escape(form)}(?!{_WORD})"


def _forms(secret: str) -> set[str]:
    """Return the forms in which a secret may occur in a text."""
    lossless = secret.encode("utf-8", "surrogatepass")
    encoded = {quote(lossless, safe=""), quote(lossless), quote_plus(lossless)}
    return {
        secret,
        *encoded,
        *(re.sub("%..", lambda code: code[0].lower(), form) for form in encoded),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        html.escape(secret),
        one_line(secret),
    }
