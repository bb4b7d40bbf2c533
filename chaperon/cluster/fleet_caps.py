"""The caps on names, keys, errors and notes, over all workers together."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from chaperon.measure.caps import ERRORS_CAPPED, NAMES_CAPPED, TAGS_CAPPED, Caps
from chaperon.measure.sample import NOTHING_RESERVED, Key, Reserved
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorCount, ErrorKey, Window

MAX_NOTES = 1_000
"""Maximum number of different notes."""
OTHER_NOTES = f"notes beyond the first {MAX_NOTES:,} wordings, counted as one"


class FleetCaps:
    """Caps names, keys, errors and notes over the windows of all workers; those beyond are counted together.

    Each worker applies the caps by itself, but many workers with different names (a number in each
    path) could still fill the memory of their master. What is *reserved* is never counted with others.
    """

    def __init__(self, reserved: Reserved = NOTHING_RESERVED) -> None:
        self._counted: Counter[str] = Counter()
        self._caps = Caps(self._count, reserved)
        self._notes = {NAMES_CAPPED, TAGS_CAPPED, ERRORS_CAPPED, OTHER_NOTES}  # always accepted

    def __repr__(self) -> str:
        return f"<FleetCaps of {len(self._caps.keys)} keys>"

    def apply(self, window: Window) -> Window:
        """Return a window within the caps; the window itself if nothing in it exceeds them."""
        series = window.series
        if not self._caps.keys.issuperset(series):
            parts: dict[Key, list[Series]] = {}
            for key, each in series.items():
                parts.setdefault(self._caps.key(key), []).append(each)
            if len(parts) != len(series) or parts.keys() != series.keys():
                series = {key: same[0] if len(same) == 1 else Series.merge_all(same) for key, same in parts.items()}
        errors = window.errors
        if not self._caps.errors.issuperset(errors):
            bounded: dict[ErrorKey, ErrorCount] = {}
            for where, trouble in errors.items():
                place = self._caps.error(where)
                known = bounded.get(place)
                if known is None:
                    bounded[place] = replace(trouble)
                else:
                    known.add(trouble)
            errors = bounded
        notes = window.notes
        if self._counted or not self._notes.issuperset(notes):
            notes = dict(Counter(notes) + self._counted)
            self._counted.clear()
            for note in notes.keys() - self._notes:
                if len(self._notes) < MAX_NOTES:
                    self._notes.add(note)
                else:
                    notes[OTHER_NOTES] = notes.get(OTHER_NOTES, 0) + notes.pop(note)
        if series is window.series and errors is window.errors and notes is window.notes:
            return window
        return replace(window, series=series, errors=errors, notes=notes)

    def _count(self, note: str) -> None:
        self._counted[note] += 1
