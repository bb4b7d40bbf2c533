"""Test data: rows that are read when the scenario is loaded, and given to its sessions one by one."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from chaperon.errors import FeedEmpty, Interrupted, LoadError, UsageError
from chaperon.interrupts import marked
from chaperon.load.feeder import ORDERS, Order, ordered, position
from chaperon.measure.meter import Meter
from chaperon.session.context import SeededRandom
from chaperon.session.row_files import read_rows

MAX_ROWS = 5_000_000
"""Largest number of rows of an iterable; a longer one is rejected as endless."""


class Feed:
    """Rows with the order in which sessions take them."""

    def __init__(self, rows: Sequence[Any], order: Order, name: str) -> None:
        self.rows = rows
        self.order: Order = order
        self.name = name

    def __repr__(self) -> str:
        return f"<Feed {self.name} of {len(self)} rows, {self.order}>"

    def __len__(self) -> int:
        return len(self.rows)


def feed(
    source: str | Path | Iterable[Any],
    *,
    order: Order = "sequential",
    name: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Feed:
    """Return rows for `session.take`, from a table (.csv, .tsv), a .jsonl or .json file, or an iterable.

    The rows of a table are dicts of text by the names in its first line. Its *delimiter* (one
    character) and its *encoding* are recognised unless they are given: comma, semicolon, tab or bar;
    a byte order mark, else UTF-8, else Windows-1252 with a warning.

    A file is looked for beside the scenario's own, then in the working directory. Users take
    rows in turns: with 10 users the first takes rows 0, 10, 20 …; visit 7 of an open load or
    of iterations takes row 7. *order* is "sequential" (until none is left), "circular" (from
    the first again), "shuffle" (each once in random order, then anew), "random" (any row,
    each time) or "unique" (each call gets the next row; no row is used twice in a run, on any
    number of workers). Raises LoadError.
    """
    if order not in ORDERS:
        raise LoadError(f"order= must be one of {', '.join(ORDERS)}; got {order!r}")
    if isinstance(source, (str, Path)):
        path = _locate(Path(source), inspect.stack(context=0)[1].filename)
        rows, title = read_rows(path, delimiter=delimiter, encoding=encoding), path.name
    else:
        rows, title = list(islice(source, MAX_ROWS + 1)), "feed"
        if len(rows) > MAX_ROWS:
            raise LoadError(f"a feed may have {MAX_ROWS:,} rows at most: this iterable seems to have no end")
    if not rows:
        raise LoadError(f"{name or title} has no rows")
    return Feed(rows, order, name or title)


class DataMethods(SeededRandom):
    """Test data of a session."""

    meter: Meter
    _user: int

    def take(self, feed: Feed) -> Any:
        """Return the next row of *feed*, a mapping as a new dict; if none is left, end this user's visits.

        The visit that found none counts as `no_row` in the ledger and is in no time. On a worker that has returned its
        shares, as it leaves its run, the rows that are left are those of other workers: the visit is interrupted.
        """
        if not isinstance(feed, Feed):
            raise UsageError(f"session.take takes what feed(…) returned, got {feed!r}")
        row = self._next_row(feed)
        recorder = self.meter.recorder
        if row is None and feed.order == "unique" and self.context.unique_rows.returned(feed, len(feed)):
            recorder.count_note(f"visits ended because the rows of {feed.name} had gone to other workers")
            raise marked(Interrupted(f"the rows of {feed.name} have gone to other workers"))
        if row is None:
            recorder.count_note(f"visits ended because {feed.name} had no row left")
            raise marked(FeedEmpty(f"{feed.name} has no row left"))
        if feed.order in ("unique", "sequential"):
            recorder.count_note(f"of {len(feed):,} rows of {feed.name} used")
        value = feed.rows[row]
        return dict(value) if isinstance(value, Mapping) else value

    def _next_row(self, feed: Feed) -> int | None:
        if feed.order == "unique":
            return self.context.unique_rows.next(feed, len(feed))
        if feed.order == "random":
            return self.random.randrange(len(feed))
        rows = self._current.rows
        taken = rows.get(feed, 0)
        rows[feed] = taken + 1
        place = position(self._user, self.visit.number, taken, self.context.numbering.users)
        return ordered(feed.order, place, len(feed), self.context.seed, self.context.entry, feed.name)


def _locate(path: Path, caller: str) -> Path:
    beside = Path(caller).resolve().parent / path
    for place in (beside, path):
        if place.is_file():
            return place
    looked = dict.fromkeys((str(beside.parent), str(path.resolve().parent)))
    raise LoadError(f"no such file: {path.name}, looked for in {' and in '.join(looked)}")
