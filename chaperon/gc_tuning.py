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
