"""Visits of users on lost workers that are in no count, estimated by the rate of those that are known."""

from __future__ import annotations

from collections.abc import Collection

from chaperon.cluster.master.workers import LAST_WINDOWS_WITHIN, WorkerRecord

LEASED = 0.9
"""Part of the worker timeout after which the leases of a silent worker have expired on its side: it starts no visit."""


ENOUGH = 2.0
"""Seconds of activity below which the visits of one worker say too little of its rate."""


def unseen_visits(
    worker: WorkerRecord, labels: Collection[str], *, began: float, until: float, worker_timeout: float, usual: float
) -> int:
    """Return about how many visits of the scenarios *labels* a lost worker began and did not report.

    That is in seconds whose windows are missing before a later one, and from its last word on until its connection was
    closed, its process ended, or its leases had expired on its side, and not after *until*. Where too little is known
    of its own rate, *usual*, in visits a second, is that of its shares in the whole run. *began* and *until* are
    readings of the master's clock, all spans are in seconds.
    """
    windows = worker.windows
    if worker.all_windows_in:
        return 0
    known = sum(windows.planned[label] + unreported_of(worker, label) for label in labels)
    last_word = max(worker.last_word_at, began + windows.newest_second + 1)
    active = last_word - began - windows.first_second - windows.missing
    ends = [until, worker.last_word_at + LEASED * worker_timeout]
    if worker.disconnected_at is not None:
        ends.append(worker.disconnected_at)
    if worker.windows_until is not None:
        ends.append(worker.windows_until - LAST_WINDOWS_WITHIN * worker_timeout)
    pace = known / active if known and active > ENOUGH else usual
    return round(pace * (windows.missing + max(min(ends) - last_word, 0.0)))


def unreported_of(worker: WorkerRecord, label: str) -> int:
    """Return how many visits of a scenario it had said to have begun that are in no window."""
    return sum(count for (each, _), count in worker.windows.unreported.items() if each == label)
