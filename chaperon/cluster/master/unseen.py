"""Visits of lost workers that are in no count, estimated by those that are known and by the load as they knew it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chaperon.cluster.master.workers import LAST_WINDOWS_WITHIN, WorkerRecord
from chaperon.cluster.protocol.messages import CHANGE_LEAD_TIME, Change
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.due_time import Interval
from chaperon.load.live_changes import LiveChanges
from chaperon.load.share import Share

LEASED = 0.9
"""Part of the worker timeout after which the leases of a silent worker have expired on its side: it starts no visit."""


ENOUGH = 2.0
"""Seconds of activity below which the visits of one worker say too little of its rate."""


@lazy_dataclass(frozen=True, slots=True)
class RunCourse:
    """The course of a run that has ended: readings of the master's clock, in seconds.

    *stopped* is None if the run was not stopped. *changes* are those of the load, *planned* are the visits of
    each scenario label, *shares* all shares by name, *lost* the lost workers.
    """

    began: float
    finished: float
    stopped: float | None
    worker_timeout: float
    changes: Sequence[Change]
    planned: Mapping[str, int]
    shares: Mapping[str, Share]
    lost: Sequence[WorkerRecord]

    @property
    def until(self) -> float:
        """The offset up to which the load went on."""
        return (self.finished if self.stopped is None else min(self.stopped, self.finished)) - self.began

    def changes_by(self, offset: float) -> LiveChanges:
        """Return the changes that were made before an offset of the run."""
        found = LiveChanges()
        for change in self.changes:
            if change.at - CHANGE_LEAD_TIME <= offset:
                change.apply(found)
        return found


def unseen_visits(worker: WorkerRecord, course: RunCourse) -> int:
    """Return about how many visits that are in no count a lost worker began and did not report.

    Those of users are in seconds whose windows are missing before a later one, and from its last word on until its
    connection was closed, its process ended, its leases had expired on its side, or its load was over. Where too
    little is known of its own rate, that of its load in the whole run counts. Those of an open load were due by the
    load as the worker knew it, before the run was stopped, scaled or paused.
    """
    if worker.all_windows_in:
        return 0
    heard, silent = _last_word(worker, course), _silent_until(worker, course)
    known, now = course.changes_by(worker.last_word_at - course.began), course.changes_by(course.finished)
    held = [course.shares[name] for name in worker.lost_shares]
    found = surplus = 0.0
    for label in sorted({share.label for share in held if not share.load.has_plan}):
        theirs = [share for share in held if share.label == label and not share.load.has_plan]
        first, missing = worker.windows.first_second, worker.windows.missing
        active = max(heard - first, 1e-9)
        before = sum(_users(share, known, first, heard) for share in theirs)
        of_missing = before * missing / active
        visits = worker.windows.planned[label] + _unreported(worker, label)
        if visits and active - missing > ENOUGH and before > of_missing:
            pace = visits / (before - of_missing)
        else:
            pace = _usual_pace(label, course, now)
        found += pace * (of_missing + sum(_users(share, known, heard, silent) for share in theirs))
    for share in held:
        if share.load.is_open:
            surplus += _due(share, known, heard, silent) - _due(share, now, heard, min(silent, course.until))
    return round(found + max(surplus, 0.0))


def visits_made_again(worker: WorkerRecord, course: RunCourse) -> int:
    """Return about how many visits of closed loads with a plan a lost worker made after its last word.

    Others made them again. They are no more than were left of its shares.
    """
    held = [(course.shares[name], start) for name, (start, _) in worker.lost_shares.items()]
    fixed = [(share, start) for share, start in held if share.load.has_plan and not share.load.is_open]
    if worker.all_windows_in or not fixed:
        return 0
    heard, silent = _last_word(worker, course), _silent_until(worker, course)
    labels = {share.label for share, _ in fixed}
    visits = sum(worker.windows.planned[label] + _unreported(worker, label) for label in labels)
    active = heard - worker.windows.first_second - worker.windows.missing
    left = sum(share.load.unmade(share.index, share.of, start, whole=True) for share, start in fixed)
    pace = visits / active if active > 0.0 else 0.0
    return min(round(pace * max(silent - heard, 0.0)), left)


def _last_word(worker: WorkerRecord, course: RunCourse) -> float:
    """Return the offset up to which the visits of a worker are known."""
    return max(worker.last_word_at - course.began, worker.windows.newest_second + 1.0)


def _silent_until(worker: WorkerRecord, course: RunCourse) -> float:
    """Return the offset up to which a worker may have begun visits."""
    ends = [worker.last_word_at + LEASED * course.worker_timeout]
    if worker.disconnected_at is not None:
        ends.append(worker.disconnected_at)
    if worker.windows_until is not None:
        ends.append(worker.windows_until - LAST_WINDOWS_WITHIN * course.worker_timeout)
    return max(min(ends) - course.began, _last_word(worker, course))


def _usual_pace(label: str, course: RunCourse, changes: LiveChanges) -> float:
    """Return the visits of a scenario label in a second of one user, in the whole run.

    The time in which users had no known worker does not count.
    """
    ours = {share.name: share for share in course.shares.values() if share.label == label and not share.load.has_plan}
    seconds = sum(_users(share, changes, 0.0, course.until) for share in ours.values())
    for worker in course.lost:
        heard = _last_word(worker, course) if worker.windows.newest_second >= 0 else 0.0
        given_up = min(worker.last_word_at - course.began + course.worker_timeout, course.until)
        seconds -= sum(_users(ours[name], changes, heard, given_up) for name in worker.lost_shares if name in ours)
    return course.planned.get(label, 0) / max(seconds, 1.0)


def _users(share: Share, changes: LiveChanges, since: float, until: float) -> float:
    """Return the seconds of users of a share between two offsets of the run, without pauses."""
    return sum(_area(share, changes, at, end) for at, end in _without(changes.pauses, since, until))


def _due(share: Share, changes: LiveChanges, since: float, until: float) -> float:
    """Return the visits of a share of an open load that are due between two offsets of the run."""
    return share.load.visits_each * _area(share, changes, since, until)


def _area(share: Share, changes: LiveChanges, since: float, until: float) -> float:
    curve = (changes.load(share) or share.load).curve
    return curve.area_between(since - share.at, until - share.at) / share.of


def _without(pauses: Sequence[Interval], since: float, until: float) -> list[Interval]:
    """Return the parts of an interval between *pauses*, which are in order."""
    found = []
    for at, end in pauses:
        if since < min(at, until):
            found.append((since, min(at, until)))
        since = max(since, end)
    return [*found, (since, until)] if since < until else found


def _unreported(worker: WorkerRecord, label: str) -> int:
    """Return how many visits of a scenario it had said to have begun that are in no window."""
    return sum(count for (each, _), count in worker.windows.unreported.items() if each == label)
