"""Secrets replaced in text: those that are known literally, those that look like one by pattern."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from chaperon.report.redaction.secret_shapes import HIDDEN, hide_shapes

SHORTEST = 4
"""Characters: a shorter value is not replaced literally, it would be found in half of all words."""
ANYWHERE = 8
"""Characters: a shorter value is replaced as a whole word only."""
MOST = 10_000
"""Values that are known literally: no more are taken in."""
KEPT = 4_096
LONG = 1_000
"""How many texts, of at most how many characters, are cached with their redacted form: names recur every second."""

_WORD = "[A-Za-z0-9]"
# line and paragraph separators, bidirectional marks, embeddings, overrides, isolates
_MARKS = (0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
STEERING = (*range(32), *range(127, 160), *_MARKS)
"""Characters that steer a terminal or change how a line reads: C0 and C1 controls, and those."""
_UNSEEN = {
    **{code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in STEERING},
    **{ord(char): escaped for char, escaped in (("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))},
}


def one_line(text: str) -> str:
    """Return *text* as one line that cannot steer a terminal: control, bidi and line characters are escaped."""
    return text if text.isascii() and text.isprintable() else text.translate(_UNSEEN)


class Redactor:
    """A function of text that replaces the *secrets* it knows, then what looks like one.

    A value of fewer than SHORTEST characters is not taken in, one of fewer than ANYWHERE is
    replaced as a whole word only. Each is found in its percent-encoded, JSON-escaped,
    Python-escaped and HTML-escaped form too. Redacting a text again changes nothing more.
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
        """Return *text* without secrets, as one line that cannot steer a terminal."""
        return one_line(self(text))

    def add(self, secrets: Iterable[str]) -> None:
        """Know more secrets from now on."""
        for secret in [part for whole in secrets for part in {whole, *whole.splitlines()}]:
            if len(secret) >= SHORTEST and secret.strip("*") and secret not in self._secrets:
                if len(self._secrets) >= MOST:
                    return
                self._secrets.add(secret)
                self._forms.update(dict.fromkeys(_forms(secret)))
                self._done.clear()

    def hide_known(self, text: str) -> str:
        """Return *text* without the known secrets; what only looks like a secret stays."""
        # a search for each is far faster than one pattern of them all, and hardly ever is one there
        there = sorted((form for form in self._forms if form in text), key=len, reverse=True)
        return re.sub("|".join(map(_literal, there)), HIDDEN, text) if there else text


def redacted(text: str) -> str:
    """Return *text* with what looks like a secret replaced."""
    return _by_shape(text)


def redacted_line(text: str) -> str:
    """Return *text* as one line: what looks like a secret is replaced, what steers a terminal escaped."""
    return one_line(_by_shape(text))


_by_shape = Redactor()


def _literal(form: str) -> str:
    if len(form) >= ANYWHERE:
        return re.escape(form)
    return f"(?<!{_WORD}){re.escape(form)}(?!{_WORD})"


def _forms(secret: str) -> set[str]:
    """Return how a secret may stand in a text."""
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
