"""Visits of users on lost workers that are in no count, estimated by the rate of those that are known."""

from __future__ import annotations

from collections.abc import Collection

from chaperon.cluster.master.workers import WorkerRecord

LEASED = 0.9
"""Part of the worker timeout after which the leases of a silent worker have expired on its side: it starts no visit."""


def unseen_visits(
    worker: WorkerRecord, labels: Collection[str], *, began: float, until: float, worker_timeout: float
) -> int:
    """Return about how many visits of the scenarios *labels* a lost worker began and did not report.

    That is from its last word on until its connection was closed, or its leases had expired on its side, and not after
    *until*. *began* and *until* are readings of the master's clock, all spans are in seconds.
    """
    windows = worker.windows
    known = sum(windows.planned[label] + unreported_of(worker, label) for label in labels)
    last_word = max(worker.last_heard_at, began + windows.newest_second + 1)
    active = last_word - began - max(windows.oldest_second, 0)
    end = worker.disconnected_at
    if end is None:
        end = worker.last_heard_at + LEASED * worker_timeout
    if worker.all_windows_in or active <= 0.0:
        return 0
    return round(known / max(active, 1.0) * max(min(end, until) - last_word, 0.0))


def unreported_of(worker: WorkerRecord, label: str) -> int:
    """Return how many visits of a scenario it had said to have begun that are in no window."""
    return sum(count for (each, _), count in worker.windows.unreported.items() if each == label)
