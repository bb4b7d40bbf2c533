"""The state of a user's current visit."""

from __future__ import annotations

from typing import Any


class TaskCount:
    """How many tasks a visit has started so far."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0


class CurrentVisit:
    """What a session knows of its current visit, and what begins anew with each.

    *number*, *user*, *due* and *started* are those of `VisitInfo`. *first_due* is the due time of the visit until its
    first step begins, *began* when its steps began: readings of the clock in seconds, or None. *paced_until*
    is a reading of the clock, too. *random_key* identifies the visit, and the task within it; *random* is the
    source of random numbers made of it. Both are None until they are needed. *rows* counts the rows taken of each feed.
    *tasks* counts the tasks started. *interrupted* is set when the end of the run interrupts the visit, or
    *endless* if it has no natural end.
    """

    # mypyc: a class of its own, for a compiled runner sets an attribute of the session, which is not compiled,
    # twenty times slower than one of this.
    __slots__ = (
        "began",
        "due",
        "endless",
        "first_due",
        "interrupted",
        "number",
        "paced_until",
        "random",
        "random_key",
        "rows",
        "started",
        "tasks",
        "user",
    )

    def __init__(self, user: int) -> None:
        self.number = 0
        self.user = user
        self.due = 0.0
        self.started = 0.0
        self.first_due: float | None = None
        self.interrupted = self.endless = False
        self.began: Any = None  # a moment or None; Any, for mypyc would trust the type it was narrowed to
        self.paced_until = 0.0
        self.random: Any = None
        self.random_key: str | None = ""
        self.rows: dict[Any, int] = {}
        self.tasks = TaskCount()

    def __repr__(self) -> str:
        return f"<CurrentVisit {self.number} of user {self.user}>"

    def begin(self, number: int, due: float, started: float, now: float) -> None:
        """Start visit *number* at *now*, a reading of the clock; *due* and *started* are offsets of the run."""
        self.number = number
        self.due = due
        self.started = started
        self.random = None
        self.random_key = None
        self.paced_until = now
        self.tasks.n = 0

    def nested(self) -> CurrentVisit:
        """Return the state for a scenario within this visit: random numbers and the numbering of tasks go on."""
        inner = self._within(self.random_key, self.paced_until)
        inner.random, inner.tasks = self.random, self.tasks
        return inner

    def for_task(self, random_key: str, now: float) -> CurrentVisit:
        """Return the state for a task that this visit starts at *now*; *random_key* is that of the task."""
        return self._within(random_key, now)

    def _within(self, random_key: str | None, paced_until: float) -> CurrentVisit:
        inner = CurrentVisit(self.user)
        inner.number, inner.due, inner.started = self.number, self.due, self.started
        inner.random_key, inner.paced_until, inner.rows = random_key, paced_until, self.rows
        return inner
