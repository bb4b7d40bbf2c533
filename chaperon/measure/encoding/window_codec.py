"""Encoding of windows as compressed bytes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from lz4.block import LZ4BlockError, compress, decompress

from chaperon.errors import WindowTooLarge, WireError
from chaperon.measure.encoding.series_columns import SeriesColumns, unpack_series
from chaperon.measure.encoding.strict_msgpack import LARGEST, pack, reader, unpack
from chaperon.measure.exchange import Exchange
from chaperon.measure.sample import Key
from chaperon.measure.window import ErrorCount, RunEvent, VisitCounts, Window
from chaperon.signed import Signed

ENVELOPE = 4_096
"""Bytes of a message reserved for the fields around the encoded window."""

_PREFIX = 4
"""Bytes at the beginning of an LZ4 block in which python-lz4 writes how long the content is, the lowest first."""

_Packed = tuple[
    int,
    int,
    int,
    tuple[tuple[str, int, VisitCounts], ...],
    tuple[tuple[tuple[str, str, str], ErrorCount], ...],
    dict[str, Signed],
    dict[str, tuple[int, int, int]],
    dict[str, int],
    tuple[tuple[tuple[str, str], float], ...],
    dict[str, float],
    tuple[RunEvent, ...],
    bytes,
    tuple[str, ...],
    dict[str, str],
    tuple[Exchange, ...],
    tuple[int, ...],
    tuple[bytes, bytes, bytes, bytes],
]
_read = reader(_Packed)
_read_key = reader(tuple[str, str, str, str, tuple[tuple[str, str], ...]])
_KNOWN = 20_000
_KNOWN_LISTS, _LISTED = 4_096, 16_384
"""How many lists of names are kept, of at most how many bytes."""


@lru_cache(maxsize=_KNOWN)
def _key(raw: Any) -> Key:
    """Return *raw* as a checked key. Cached: the same key is in the lists of many workers."""
    return Key(*_read_key(raw))


@lru_cache(maxsize=_KNOWN_LISTS)
def _keys(packed: bytes) -> tuple[Key, ...]:
    """Return the keys of a window's series. Cached: the windows of a worker have the same series every second."""
    names = unpack(packed)
    try:
        keys = tuple(map(_key, names))
    except TypeError:  # no list, or one of values that have no hash
        raise WireError("a window with a series whose name is not a list of texts") from None
    if len(set(keys)) != len(keys):
        raise WireError("a window with a series listed twice")
    return keys


def pack_window(window: Window, *, began: float) -> bytes:
    """Return a window as compressed bytes. Moments are sent relative to *began*, since clocks differ between hosts.

    Raises WindowTooLarge if the window exceeds the maximum size of a message.
    """
    columns = SeriesColumns()
    for series in (*window.series.values(), *window.generator.values()):
        columns.add(series, began)
    content = (
        window.seq,
        window.at,
        window.users,
        [(label, second, counts) for (label, second), counts in window.ledger.items()],
        list(window.errors.items()),
        dict(window.health),
        dict(window.progress),
        dict(window.notes),
        list(window.phases.items()),
        dict(window.due),
        list(window.happenings),
        pack([tuple(key) for key in window.series]),
        list(window.generator),
        dict(window.unreached),
        list(window.exchanges),
        columns.counts,
        columns.packed(),
    )
    raw = pack(content)
    if len(raw) > LARGEST:
        raise WindowTooLarge(f"a window of {len(raw):,} bytes exceeds the limit of {LARGEST:,} for a message")
    body: bytes = compress(raw)
    if len(body) > LARGEST - ENVELOPE:
        raise WindowTooLarge(f"a window of {len(body):,} compressed bytes exceeds the limit of {LARGEST - ENVELOPE:,}")
    return body


def unpack_window(body: bytes, worker: str, *, began: float) -> Window:
    """Return the window in *body*, from *worker*, with moments relative to *began*. Raises WireError if not valid."""
    (
        seq,
        at,
        users,
        ledger,
        errors,
        health,
        progress,
        notes,
        phases,
        due,
        happenings,
        names,
        own,
        unreached,
        exchanges,
        counts,
        columns,
    ) = _read(_inflated(body))
    if seq < 1:
        raise WireError("a window with the number 0")
    keys = _keys(names) if len(names) <= _LISTED else _keys.__wrapped__(names)
    parts, negative = unpack_series(counts, columns, len(keys) + len(own), began)
    series = dict(zip(keys, parts, strict=False))
    generator = dict(zip(own, parts[len(keys) :], strict=True))
    if len(generator) != len(own):
        raise WireError("a window with a series listed twice")
    for place in negative:
        if place < len(keys) and keys[place].kind != "gauge":
            raise WireError("a window with a time below 0")
    counted = {(label, second): counts for label, second, counts in ledger}
    wrong, times = dict(errors), dict(phases)
    if len(counted) != len(ledger) or len(wrong) != len(errors) or len(times) != len(phases):
        raise WireError("a window with a count listed twice")
    window = Window(
        worker=worker,
        seq=seq,
        at=at,
        series=series,
        ledger=counted,
        errors=wrong,
        health=health,
        progress=progress,
        users=users,
        notes=notes,
        phases=times,
        due=due,
        happenings=happenings,
        generator=generator,
        unreached=unreached,
        exchanges=exchanges,
    )
    window.body = body  # not an argument: `replace` must not copy it
    return window


def _inflated(body: bytes) -> Any:
    if len(body) > LARGEST or int.from_bytes(body[:_PREFIX], "little") > LARGEST:
        raise WireError("a window that is too large")
    try:
        raw = decompress(body)
    except (LZ4BlockError, ValueError) as exc:
        raise WireError(f"a window that is not a valid LZ4 block: {exc}") from exc
    return unpack(raw)
