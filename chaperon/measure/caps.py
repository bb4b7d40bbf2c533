"""Bounds of what a run lists: names, keys, error classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chaperon.measure.sample import NOTHING_RESERVED, Key, Reserved
from chaperon.measure.window import ErrorKey

NAMES: Final = 1_000
KEYS: Final = 10_000
ERRORS: Final = 200
"""Maximum numbers, in a run, of series names of a kind, of keys, and of (scenario, series, error class) listed."""
DISTINCT = 20_000
"""Maximum number of different names, keys and error classes beyond the caps that notes count."""

OTHER = "(other names)"
NAMES_CAPPED = f"names beyond the first {NAMES:,} counted as «{OTHER}»: give requests whose paths differ one name="
TAGS_CAPPED = f"combinations of tags beyond the first {KEYS:,} counted without their tags"
ERRORS_CAPPED = f"error classes beyond the first {ERRORS} counted as «other errors»"


class Caps:
    """Bounds the names, keys and error classes of a run: those beyond are counted together.

    Each kind that is no request has names of its own, so that the names of requests, which a target can
    make up, never crowd out steps, visits and checks. What is *reserved* is never counted with others. *count_note*
    is called once for each different name, key or class beyond the caps; *keys* and *errors* are those within them.
    """

    def __init__(self, count_note: Callable[[str], object], reserved: Reserved = NOTHING_RESERVED) -> None:
        self._count_note = count_note
        self._reserved = reserved
        self._names: dict[str, set[tuple[str, str]]] = {}
        self.keys: set[Key] = set()
        self.errors: set[ErrorKey] = set()
        self._beyond: set[int] = set()

    def key(self, key: Key) -> Key:
        """Return the key; beyond the caps on names and keys, a key shared by all further ones."""
        if key in self.keys:
            return key
        key = key.plain()
        if key in self.keys:
            return key
        names = self._names.setdefault("" if key.is_request else key.kind, set())
        named = (key.scenario, key.name)
        if named not in names and key.name != OTHER:
            if len(names) >= NAMES and not self._reserved.covers(key):
                self._count(NAMES_CAPPED, (named, key.kind))
                return key._replace(name=OTHER, tags=self._reserved_tags(key))
            names.add(named)
        if key.tags and len(self.keys) >= KEYS:
            self._count(TAGS_CAPPED, key)
            return key._replace(tags=self._reserved_tags(key))
        self.keys.add(key)
        return key

    def error(self, where: ErrorKey) -> ErrorKey:
        """Return the error class; beyond the cap, the one of all further ones."""
        if where in self.errors:
            return where
        if len(self.errors) >= ERRORS and where[2] not in self._reserved.errors:
            self._count(ERRORS_CAPPED, where)
            return where[0], OTHER, "other errors"
        self.errors.add(where)
        return where

    def _reserved_tags(self, key: Key) -> tuple[tuple[str, str], ...]:
        return tuple([pair for pair in key.tags if pair in self._reserved.tags])

    def _count(self, note: str, what: object) -> None:
        mark = hash(what)
        if mark not in self._beyond and len(self._beyond) < DISTINCT:
            self._beyond.add(mark)
            self._count_note(note)
