"""Tasks: functions that run in greenlets of their own until they are joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Final, Protocol

import gevent

from chaperon import forks
from chaperon.client.current_session import set_current
from chaperon.clock import Clock
from chaperon.errors import Ended, FeedEmpty, JoinTimeout, SessionAborted, TaskEnded, TaskMissing
from chaperon.interrupts import is_ours, is_signal, marked
from chaperon.measure.meter import Meter
from chaperon.measure.timed_block import TimedBlock
from chaperon.session.endless import EndlessWork, endless_reason
from chaperon.session.signals import wait_for

_getcurrent: Final[Any] = gevent.getcurrent


class VisitGreenlet:
    """The greenlet that makes a session's visit; a task that ends the session interrupts it."""

    __slots__ = ("_greenlet",)

    def __init__(self) -> None:
        self._greenlet: Any = None

    def attach(self) -> Any:
        """Set the current greenlet as the one that makes the visit; return it."""
        greenlet = self._greenlet = _getcurrent()
        return greenlet

    def detach(self) -> None:
        """Forget the greenlet: `interrupt` has no effect any more."""
        self._greenlet = None

    @property
    def active(self) -> bool:
        """Whether a greenlet makes a visit now."""
        return self._greenlet is not None

    def interrupt(self, why: Ended) -> None:
        """Raise *why* in the greenlet, in the next turn of the event loop."""
        if self._greenlet is not None:
            gevent.get_hub().loop.run_callback(self._throw, self._greenlet, why)

    def _throw(self, greenlet: Any, why: Ended) -> None:
        if greenlet is self._greenlet:
            self._greenlet = None
            greenlet.throw(why)


class TaskSession(Protocol):
    """What a task or a periodic call needs of its session."""

    clock: Clock
    meter: Meter
    tasks: TaskList
    visit_greenlet: VisitGreenlet
    endless_work: EndlessWork

    def signal(self, value: Any) -> None: ...


class Task:
    """A function running in a greenlet of its own, with a child session; *timed* as «task NAME».

    When it has ended, only what it returned or raised is kept.
    """

    __slots__ = ("_child", "_greenlet", "_timed", "_work", "error", "name", "value")

    def __init__(self, name: str, child: TaskSession, work: Callable[[], Any], *, timed: bool = True) -> None:
        self.name = name
        self._child: TaskSession | None = child
        self._work: Callable[[], Any] | None = work
        self._timed = timed
        self.value: Any = None
        self.error: BaseException | None = None
        self._greenlet = gevent.spawn(self._run)

    def __repr__(self) -> str:
        state = "running" if not self.ended else "failed" if self.error is not None else "done"
        return f"<Task {self.name} {state}>"

    @property
    def ended(self) -> bool:
        """Whether the task has ended, with a value or an error."""
        return bool(self._greenlet.dead)

    def signal(self, value: Any) -> None:
        """Send the task a signal, for its `session.wait_signal`."""
        if self._child is not None:
            self._child.signal(value)

    def wait(self, clock: Clock, within: float | None) -> bool:
        """Wait until the task has ended, at most *within* seconds; return whether it has."""
        return wait_for(self._greenlet, clock, within)

    def end(self) -> None:
        """End the task and the tasks it spawned; joining it raises TaskEnded."""
        if self.error is None and not self.ended:
            self.error = self._ended_early()
        child = self._child
        self._greenlet.kill(
            marked(gevent.GreenletExit(), "" if child is None else endless_reason(child.endless_work, None))
        )

    def result(self) -> Any:
        """Return the value of a task that has ended; raises what it raised."""
        if self.error is not None:
            raise self.error
        return self.value

    def _run(self) -> None:
        child, work = self._child, self._work
        assert child is not None
        assert work is not None
        set_current(child)
        try:
            self._perform(child, work)
        finally:
            self._child = self._work = None

    def _perform(self, child: TaskSession, work: Callable[[], Any]) -> None:
        try:
            with TimedBlock(child.meter, self.name, "task") if self._timed else nullcontext():
                self.value = work()
            if forks.forking_greenlet is not None:
                forks.end_if_forking_greenlet()
        except BaseException as exc:
            if forks.forking_greenlet is not None:
                forks.end_if_forking_greenlet(exc)
            if is_ours(exc):
                self._end_children(child, exc)
                return
            self.error = exc
            if is_signal(exc):
                raise
        try:
            child.tasks.wait_all()
        except BaseException as exc:
            if not is_ours(exc):
                raise
            self._end_children(child, exc)

    def _ended_early(self) -> TaskEnded:
        return TaskEnded(f"task «{self.name}» was ended before it was done")

    def _end_children(self, child: TaskSession, why: BaseException) -> None:
        """End the tasks it spawned; pass an exception that ends the session to the visit's greenlet."""
        if self.error is None:
            self.error = why if isinstance(why, Ended) else self._ended_early()
        if isinstance(why, (SessionAborted, FeedEmpty)):
            child.visit_greenlet.interrupt(why)
        child.tasks.end()


class TaskList:
    """The tasks of one session that are not joined yet."""

    __slots__ = ("_clock", "_open")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: list[Task] = []

    def __repr__(self) -> str:
        return f"<TaskList {', '.join(task.name for task in self._open) or 'none'}>"

    @property
    def open(self) -> list[Task]:
        """A new list of the tasks not joined yet, oldest first."""
        return list(self._open)

    def named(self, name: str) -> list[Task]:
        """Return the tasks called *name* that are not joined yet, oldest first."""
        return [task for task in self._open if task.name == name]

    def add(self, task: Task) -> Task:
        """Keep *task* until it is joined."""
        self._open.append(task)
        return task

    def join(self, wanted: Sequence[str | Task], within: float | None) -> list[Any]:
        """Wait for tasks by name; return their values in order, once all have ended.

        Raises what a task raised, TaskMissing for an unknown name, JoinTimeout after *within* seconds.
        """
        deadline = None if within is None else self._clock.now() + within
        found = [task for each in wanted for task in self._find(each)]
        for task in found:
            left = None if deadline is None else max(deadline - self._clock.now(), 0.0)
            if not task.wait(self._clock, left):
                raise JoinTimeout(f"task «{task.name}» did not end within {within:g} s")
        joined = set(found)
        self._open = [task for task in self._open if task not in joined]
        return [task.result() for task in found]

    def wait_all(self) -> None:
        """Wait for tasks that were not joined; raises only an exception that ends the session."""
        while self._open:
            task = self._open.pop(0)
            try:
                task.wait(self._clock, None)
            except BaseException:
                task.end()
                raise
            if task.error is not None and is_ours(task.error):
                raise task.error

    def end(self, keep: Sequence[Task] = ()) -> None:
        """End every task but those of *keep*, the newest first."""
        kept = set(keep)
        doomed = [task for task in self._open if task not in kept]
        self._open = [task for task in self._open if task in kept]
        try:
            while doomed:
                doomed[-1].end()
                doomed.pop()
        except BaseException:
            self._open += doomed
            raise

    def _find(self, wanted: str | Task) -> list[Task]:
        if isinstance(wanted, Task):
            return [wanted]
        named = self.named(wanted)
        if not named:
            known = ", ".join(f"«{task.name}»" for task in self._open) or "none"
            raise TaskMissing(f"no task «{wanted}» to join; spawned and not joined yet: {known}")
        return named
