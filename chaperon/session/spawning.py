"""Tasks of a session: spawn, spread, join, group."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

from chaperon.clock import seconds
from chaperon.session.functions import bind_session, name_of
from chaperon.session.periodic import even_offsets, start_at_offsets
from chaperon.session.tasks import Task, TaskList, TaskSession


class TaskMethods:
    """Tasks that run concurrently with a session, each in its own greenlet with a child session.

    A child session shares the cookies and connections of its parent, and has copies of its
    config and assigned values. The visit ends when all tasks that were not joined have ended.
    """

    tasks: TaskList
    _child: Callable[[], TaskSession]

    def spawn(self, work: Callable[..., Any], *args: Any, task: str | None = None, **keywords: Any) -> Task:
        """Start `work(child, *args)` in a greenlet, timed as «task NAME»; do not block.

        A method of this session is called on the child instead: `session.spawn(session.get, "/")`.
        """
        child = self._child()
        call = partial(bind_session(work, self, child), *args, **keywords)
        return self.tasks.add(Task(task or name_of(work), child, call))

    def spread(
        self,
        work: Callable[..., Any],
        *args: Any,
        rate: float,
        per: float | str = 1.0,
        name: str | None = None,
        **keywords: Any,
    ) -> Task:
        """Start *rate* calls of `work(child, *args, …)` evenly over *per*, the first now; do not block.

        Each call is timed as «task NAME». Joining the name, or the task returned, returns the
        list of their values. Raises PlanError for a rate or span that is not positive.
        """
        title = name or name_of(work)

        def start() -> Task:
            child = self._child()
            return Task(title, child, partial(bind_session(work, self, child), *args, **keywords))

        moments = even_offsets(rate, seconds(per))
        conductor = self._child()
        return self.tasks.add(
            Task(title, conductor, partial(start_at_offsets, conductor.clock, moments, start), timed=False)
        )

    def join(self, *tasks: str | Task, timeout: float | str | None = None) -> Any:
        """Block until the tasks have ended; return the list of their values, or the value of a single task.

        A name stands for all tasks of that name that are not joined yet, oldest first. Raises
        what a task raised, TaskMissing for an unknown name, JoinTimeout after *timeout*.
        """
        values = self.tasks.join(tasks, None if timeout is None else seconds(timeout))
        return values[0] if len(tasks) == len(values) == 1 else values

    def join_all(self, *, timeout: float | str | None = None) -> list[Any]:
        """Block until every task not joined yet has ended; return their values, oldest first. Raises as `join`."""
        return self.tasks.join(self.tasks.open, None if timeout is None else seconds(timeout))

    def group(self, *, timeout: float | str | None = None) -> Group:
        """Return a `with` block that joins what is spawned in it: `with session.group() as group: …`."""
        return Group(self, None if timeout is None else seconds(timeout))


class Group:
    """Tasks that are joined together, at the end of a `with` block; *values* then holds what they returned.

    Once all have ended, the block raises what the first failed task raised. If the block itself
    raises, or the timeout expires (JoinTimeout), the tasks are ended.
    """

    def __init__(self, session: TaskMethods, within: float | None) -> None:
        self._session = session
        self._within = within
        self._tasks: list[Task] = []
        self.values: list[Any] = []

    def __repr__(self) -> str:
        return f"<Group of {len(self._tasks)} tasks>"

    def spawn(self, work: Callable[..., Any], *args: Any, task: str | None = None, **keywords: Any) -> Task:
        """Start a task of the group; see `session.spawn`."""
        started = self._session.spawn(work, *args, task=task, **keywords)
        self._tasks.append(started)
        return started

    def __enter__(self) -> Group:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if exc is None:
                self.values = self._session.tasks.join(self._tasks, self._within)
        finally:
            for task in self._tasks:
                task.end()
