"""The caps on names, keys, errors and notes, over all workers together."""

from __future__ import annotations

from dataclasses import replace

from chaperon.measure.recorder import (
    ERRORS,
    ERRORS_CAPPED,
    KEYS,
    NAMES,
    NAMES_CAPPED,
    OTHER,
    TAGS_CAPPED,
)
from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorCount, ErrorKey, Window

MAX_NOTES = 1_000
"""Maximum number of different notes."""
OTHER_NOTES = f"notes beyond the first {MAX_NOTES:,} wordings, counted as one"


class FleetCaps:
    """Caps names, keys, errors and notes over the windows of all workers; those beyond are counted together.

    Each worker applies the caps by itself, but many workers with different names (a number in each
    path) could still fill the memory of their master.
    """

    def __init__(self) -> None:
        self._names: set[tuple[str, str]] = set()
        self._keys: set[Key] = set()
        self._errors: set[ErrorKey] = set()
        self._notes = {NAMES_CAPPED, TAGS_CAPPED, ERRORS_CAPPED, OTHER_NOTES}  # always accepted

    def __repr__(self) -> str:
        return f"<FleetCaps of {len(self._keys)} keys>"

    def apply(self, window: Window) -> Window:
        """Return a window within the caps; the window itself if nothing in it exceeds them."""
        notes = dict(window.notes)
        series = window.series
        if not self._keys.issuperset(series):
            parts: dict[Key, list[Series]] = {}
            for key, each in series.items():
                parts.setdefault(self._capped_key(key, notes), []).append(each)
            if len(parts) != len(series) or parts.keys() != series.keys():
                series = {key: same[0] if len(same) == 1 else Series.merge_all(same) for key, same in parts.items()}
        errors = window.errors
        if not self._errors.issuperset(errors):
            bounded: dict[ErrorKey, ErrorCount] = {}
            for where, trouble in errors.items():
                place = self._capped_error(where, notes)
                known = bounded.get(place)
                if known is None:
                    bounded[place] = replace(trouble)
                else:
                    known.add(trouble)
            errors = bounded
        for note in notes.keys() - self._notes:
            if len(self._notes) < MAX_NOTES:
                self._notes.add(note)
            else:
                notes[OTHER_NOTES] = notes.get(OTHER_NOTES, 0) + notes.pop(note)
        if series is window.series and errors is window.errors and notes == window.notes:
            return window
        return replace(window, series=series, errors=errors, notes=notes)

    def _capped_key(self, key: Key, notes: dict[str, int]) -> Key:
        if key in self._keys:
            return key
        named = (key.scenario, key.name)
        if named not in self._names and key.name != OTHER:
            if len(self._names) >= NAMES:
                notes[NAMES_CAPPED] = notes.get(NAMES_CAPPED, 0) + 1
                return key._replace(name=OTHER, tags=())
            self._names.add(named)
        if len(self._keys) >= KEYS:
            notes[TAGS_CAPPED] = notes.get(TAGS_CAPPED, 0) + 1
            return key._replace(tags=())
        self._keys.add(key)
        return key

    def _capped_error(self, where: ErrorKey, notes: dict[str, int]) -> ErrorKey:
        if where in self._errors:
            return where
        if len(self._errors) >= ERRORS:
            notes[ERRORS_CAPPED] = notes.get(ERRORS_CAPPED, 0) + 1
            return where[0], OTHER, "other errors"
        self._errors.add(where)
        return where
