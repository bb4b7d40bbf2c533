"""The garbage collector: off while modules are imported, seldom while a load is sent or a run file is read."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (50_000, 2, 350)
"""After how many objects the youngest are looked at, and how many such collections later the older ones are.

An object that stays is looked at twice, then once in 50 million, however the first two are chosen: a low second one
makes pauses short while thousands of users come, whose objects stay.
"""

NEW_SESSIONS = 200
"""New sessions, with no collection meanwhile, after which all sessions are left out of collections."""

_restore: list[tuple[int, int, int]] = []
_paused: list[bool] = []


def pause_gc() -> None:
    """Collect no garbage until `resume_gc`: what is imported is none."""
    gc.disable()
    gc.set_threshold(*THRESHOLDS)
    _paused.append(True)


def resume_gc() -> None:
    """Collect garbage again, seldom, and leave out what is there already. Does nothing without a `pause_gc` before."""
    if _paused:
        _paused.clear()
        gc.freeze()
        gc.enable()


@contextmanager
def uncollected_imports() -> Iterator[None]:
    """Collect no garbage within the context, in which modules are imported.

    After a `pause_gc` what is there at its end is left out of collections, too: it would be at the start of the run.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_threshold() == THRESHOLDS:
            gc.freeze()
        if collecting:
            gc.enable()


@contextmanager
def reduced_gc() -> Iterator[None]:
    """Collect garbage seldom within the context; what is there already is left out of it.

    Samples that wait to be counted make the collector look every few hundred of them, and
    what it looks at is thousands of sessions that are no garbage; on a master, windows that
    wait to be added up. Contexts may overlap: the last to be left restores what the first one found.
    """
    if not _restore:
        gc.freeze()
    _restore.append(_restore[0] if _restore else gc.get_threshold())
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        found = _restore.pop()
        if not _restore:
            gc.set_threshold(*found)
            gc.unfreeze()


class LiveSessions:
    """Counts the live sessions of a run. While their number grows fast, garbage collections leave the sessions out.

    A collection that looks at each object of many new sessions finds no garbage and takes a tenth of what the
    sessions take until their first response. Sessions that take the place of others count for nothing here, and
    neither does a growth during which garbage was collected: what is left out stays until `reduced_gc` ends.
    """

    def __init__(self) -> None:
        self._live = self._most = 0
        self._collections = _collections()

    def add(self) -> None:
        """Count a session that was made."""
        self._live += 1
        if self._live > self._most:
            self._most = self._live
            if self._most % NEW_SESSIONS == 0:
                self._leave_out()

    def remove(self) -> None:
        """Count a session that was closed."""
        self._live -= 1

    def _leave_out(self) -> None:
        done = _collections()
        if done == self._collections and _restore:
            gc.freeze()
        self._collections = done


def _collections() -> int:
    return sum([generation["collections"] for generation in gc.get_stats()])
