"""Where known secrets are in a text: as they are, encoded, escaped, wrapped, or divided by a cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from chaperon.report.redaction.form_index import PREFIX, FormIndex, Span
from chaperon.report.redaction.secret_forms import ANYWHERE, forms_of
from chaperon.report.redaction.unescaped import (
    Unescaped,
    may_be_escaped,
    plain_text,
    unescaped,
    without_spaces,
    without_unfinished,
)

SHORTEST = PREFIX
"""Minimum length, in characters, of a secret that is found; shorter ones occur within many words."""
CUT = 200
"""Length, in characters, from which a text may have been cut at its end: the least bound of `measure`."""
CUTS = 20
"""How many ellipses of a text are seen as places where a text in it was cut."""
_ELLIPSIS = re.compile("…")
_UNFINISHED = 12
"""Maximum length, in characters, of the beginning of an escape."""


class SecretSearch:
    """Finds secrets in texts.

    Secrets of fewer than SHORTEST characters are ignored; those of fewer than ANYWHERE are found
    as whole words only. Found are the forms of `forms_of`, and those in a text without its escapes (see `unescaped`),
    longer ones also over a line break and, if they have a digit, in other case, as in names of hosts. Where a text
    was cut, which its ellipsis or its end shows, the beginning of a secret is found too.
    """

    def __init__(self) -> None:
        self._words = FormIndex()
        self._exact = FormIndex()
        self._plain = FormIndex()
        self._lower = FormIndex()
        self._dense = FormIndex()
        self.longest = 0
        """Length, in characters, of the longest form of a secret."""

    def add(self, secret: str) -> None:
        """Add a secret of at least SHORTEST characters."""
        any_case = any(map(str.isdigit, secret))
        for form in forms_of(secret):
            self.longest = max(self.longest, len(form))
            (self._exact if len(form) >= ANYWHERE else self._words).add(form)
            plain = plain_text(form) if may_be_escaped(form) else form
            if len(plain) < ANYWHERE:
                self._words.add(plain)
                continue
            self._plain.add(plain)
            if any_case:
                self._lower.add(_lowered(plain))
            dense = without_spaces(plain)
            if len(dense) >= ANYWHERE:
                self._dense.add(dense)

    def spans(self, text: str, *, goes_on: bool = False) -> list[Span]:
        """Return from where to where *text* has a secret, in order, without overlaps; *goes_on*: its end is no cut."""
        length = 0 if goes_on else len(text)
        if not (self._exact or self._words):
            return []
        found = [*self._exact.occurrences(text), *_whole(self._words, text), *_cut(self._exact, text, length)]
        if may_be_escaped(text):
            found += self._escaped_spans(text, length)
        elif self._lower:
            found += self._lower.occurrences(_lowered(text))
        return _merged(found)

    def _escaped_spans(self, text: str, length: int) -> Iterator[Span]:
        """Yield the places of secrets whose text has escapes or line breaks."""
        plain = plain_text(text)
        found = [
            *self._plain.occurrences(plain),
            *self._lower.occurrences(_lowered(plain)),
            *_whole(self._words, plain),
            *_cut(self._plain, plain, length),
        ]
        dense = self._dense.occurrences(without_spaces(plain)) if "\n" in plain or "\r" in plain else ()
        places = unescaped(text) if found or dense else Unescaped(text)
        yield from _in_source(places, found)
        if dense:
            yield from _in_source(places.without_spaces(), dense)


def _whole(forms: FormIndex, text: str) -> Iterator[Span]:
    """Yield the places in which a form is a whole word."""
    for start, end in forms.occurrences(text):
        if not (_is_word(text[max(start - 1, 0) : start]) or _is_word(text[end : end + 1])):
            yield start, end


def _is_word(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _cut(forms: FormIndex, text: str, length: int) -> Iterator[Span]:
    """Yield where a secret begins that ends at an ellipsis, or at the end of a text that had *length* characters."""
    marks = [each.start() for each in islice(_ELLIPSIS.finditer(text), CUTS)]
    if length >= CUT:
        marks.append(len(text))
    for mark in marks:
        tail = max(mark - _UNFINISHED, 0)
        for end in {mark, tail + len(without_unfinished(text[tail:mark]))}:
            start = forms.beginning_before(text, end)
            if start is not None:
                yield start, mark


def _in_source(found: Unescaped, spans: Iterable[Span]) -> Iterator[Span]:
    for start, end in spans:
        yield found.starts[start], found.ends[end - 1]


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _lowered(text: str) -> str:
    """Return *text* in lower case, as it is if that has another length."""
    low = text.lower()
    return low if len(low) == len(text) else text
