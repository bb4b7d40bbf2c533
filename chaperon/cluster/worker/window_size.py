"""Reduces a window to the size of a message: series are merged, no sample is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from chaperon.errors import WindowTooLarge
from chaperon.measure.caps import OTHER
from chaperon.measure.encoding.window_codec import pack_window
from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.window import Window

UNTAGGED = "windows too large for a message, sent without the tags of their series"
UNNAMED = f"windows too large for a message, sent with the rarer names of their series as «{OTHER}»"
NO_EXCHANGES = "failing requests left out of windows too large for a message"
NAMES_KEPT = (500, 200, 100, 50, 20, 10, 5, 2, 1, 0)
"""Numbers of names to keep, tried in turn; those with the most samples are kept."""


def pack_to_fit(window: Window, *, began: float) -> bytes:
    """Return a window as bytes that fit a message, with as much detail as possible. Raises WindowTooLarge.

    If it is too large, its series lose their tags, then the rarest lose their names: their counts,
    sums and sketches are merged, and a note says so.
    """
    try:
        return pack_window(window, began=began)
    except WindowTooLarge as exc:
        fault = exc
    for smaller in _smaller(window):
        try:
            return pack_window(smaller, began=began)
        except WindowTooLarge as exc:
            fault = exc
    raise fault


def _smaller(window: Window) -> Iterator[Window]:
    if window.exchanges:
        window = replace(window, exchanges=(), notes={**window.notes, NO_EXCHANGES: len(window.exchanges)})
        yield window
    yield _merged(window, lambda key: key._replace(tags=()), UNTAGGED)
    counts: Counter[str] = Counter()
    for key, series in window.series.items():
        counts[key.name] += series.count
    requests = {key.name for key in window.series if key.is_request}
    order = sorted(counts, key=lambda name: (name in requests, -counts[name], name))  # a target can make up requests
    for most in NAMES_KEPT:
        if most < len(counts):
            yield _merged(window, _naming(set(order[:most])), UNNAMED)


def _naming(kept: set[str]) -> Callable[[Key], Key]:
    return lambda key: key._replace(name=key.name if key.name in kept else OTHER, tags=())


def _merged(window: Window, shorter: Callable[[Key], Key], note: str) -> Window:
    parts: dict[Key, list[Series]] = {}
    for key, series in window.series.items():
        parts.setdefault(shorter(key), []).append(series)
    merged = {key: same[0] if len(same) == 1 else Series.merge_all(same) for key, same in parts.items()}
    return replace(window, series=merged, notes={**window.notes, note: window.notes.get(note, 0) + 1})
