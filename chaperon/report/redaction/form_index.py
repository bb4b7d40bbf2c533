"""Texts that are searched for in other texts: one by one where they are few, by their first characters where many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

PREFIX = 4
"""Length, in characters, of what forms are found by; the minimum length of one."""
FEW = 64
"""Number of forms up to which searching for each is faster than looking up every place of a text."""

Span = tuple[int, int]


class FormIndex:
    """Forms of secrets, each of at least PREFIX characters; searching for many takes time by the text, not by them."""

    def __init__(self) -> None:
        self._forms: dict[str, None] = {}
        self._by_prefix: dict[str, list[str]] = {}
        self._longest = 0

    def __bool__(self) -> bool:
        return bool(self._forms)

    def add(self, form: str) -> None:
        """Add a form, unless it is there or shorter than PREFIX."""
        if len(form) >= PREFIX and form not in self._forms:
            self._forms[form] = None
            self._by_prefix.setdefault(form[:PREFIX], []).append(form)
            self._longest = max(self._longest, len(form))

    def occurrences(self, text: str) -> Iterable[Span]:
        """Return where forms are in *text*, in no order."""
        if len(self._forms) <= FEW:
            return [span for form in self._forms if form in text for span in _each(form, text)]
        return self._looked_up(text)

    def beginning_before(self, text: str, end: int) -> int | None:
        """Return where the longest beginning of a form starts that ends at *end* of *text*, None if none does."""
        for start in range(max(end - self._longest, 0), end - PREFIX + 1):
            forms = self._by_prefix.get(text[start : start + PREFIX])
            if forms is not None:
                part = text[start:end]
                if any(form.startswith(part) for form in forms):
                    return start
        return None

    def _looked_up(self, text: str) -> Iterator[Span]:
        by_prefix = self._by_prefix
        for start in range(len(text) - PREFIX + 1):
            forms = by_prefix.get(text[start : start + PREFIX])
            if forms is not None:
                for form in forms:
                    if text.startswith(form, start):
                        yield start, start + len(form)


def _each(form: str, text: str) -> Iterator[Span]:
    at = text.find(form)
    while at >= 0:
        yield at, at + len(form)
        at = text.find(form, at + len(form))
