"""Redaction: replaces secrets in text, those known literally and those recognised by their shape."""

from __future__ import annotations

import re
from collections.abc import Iterable

from chaperon.report.redaction.one_line import one_line
from chaperon.report.redaction.secret_forms import ANYWHERE, forms_of
from chaperon.report.redaction.secret_shapes import HIDDEN, hide_shapes

SHORTEST = 4
"""Minimum length, in characters, of a secret that is replaced; shorter ones occur within many words."""
MOST = 10_000
"""Maximum number of secrets known literally; further ones are ignored."""
CUT = 200
"""Length, in characters, from which a text may have been cut: the least bound of `measure`."""
KEPT = 4_096
LONG = 1_000
"""The redacted forms of KEPT texts of at most LONG characters are cached, since names recur every second."""

_WORD = "[A-Za-z0-9]"


class Redactor:
    """A callable that replaces, in a text, the *secrets* it knows and everything that has the shape of one.

    Secrets of fewer than SHORTEST characters are ignored; those of fewer than ANYWHERE are replaced
    as whole words only. Other forms of a secret, see `forms_of`, are replaced too. Redacting is idempotent.
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
                self._forms.update(dict.fromkeys(forms_of(secret)))
                self._done.clear()

    def hide_known(self, text: str) -> str:
        """Return *text* without the known secrets; what only looks like a secret stays."""
        # searching for each is far faster than one pattern of all of them, and few texts contain one
        there = sorted((form for form in self._forms if form in text), key=len, reverse=True)
        hidden = re.sub("|".join(map(_literal, there)), HIDDEN, text) if there else text
        return self._hide_cut(hidden) if len(hidden) >= CUT else hidden

    def _hide_cut(self, text: str) -> str:
        """Return *text* without the beginning of a secret at its end, which a bound on its length has divided."""
        body = text.removesuffix("…")
        end = len(body)
        for form in self._forms:
            if len(form) < ANYWHERE:
                continue
            at = body.find(form[:SHORTEST], max(end - len(form) + 1, 0))
            while at >= 0 and not form.startswith(body[at:]):
                at = body.find(form[:SHORTEST], at + 1)
            if at >= 0:
                return f"{body[:at]}{HIDDEN}{text[end:]}"
        return text


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
