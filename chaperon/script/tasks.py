"""Work that runs beside its session until it is joined."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent

from chaperon.clock import Clock
from chaperon.errors import Ended, JoinTimeout, TaskMissing
from chaperon.script.measuring import Measure

if TYPE_CHECKING:
    from chaperon.script.session import Session


class Task:
    """A function running in a greenlet of its own, with a child session."""

    def __init__(self, name: str, child: Session, work: Callable[[], Any]) -> None:
        self.name = name
        self.child = child
        self._work = work
        self.value: Any = None
        self.error: BaseException | None = None
        self._greenlet = gevent.spawn(self._run)

    def __repr__(self) -> str:
        state = "running" if not self.ended else "failed" if self.error is not None else "done"
        return f"<Task {self.name} {state}>"

    @property
    def ended(self) -> bool:
        """Whether the task has run to its end, good or bad."""
        return bool(self._greenlet.dead)

    def _run(self) -> None:
        try:
            with Measure(self.child.meter, self.name, "task"):
                self.value = self._work()
        except (Exception, Ended, gevent.GreenletExit) as exc:
            self.error = exc
        finally:
            try:
                self.child.tasks.settle()
            except (Exception, Ended, gevent.GreenletExit) as exc:
                self.error = self.error or exc

    def wait(self, timeout: float | None) -> bool:
        """Wait until the task has ended, at most *timeout* seconds; return whether it has."""
        self._greenlet.join(timeout)
        return self.ended

    def end(self) -> None:
        """End the task with all that it spawned."""
        self.child.tasks.end()
        self._greenlet.kill()


class Tasks:
    """The tasks of one session that nobody has joined yet."""

    __slots__ = ("_clock", "_open")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: list[Task] = []

    def add(self, task: Task) -> Task:
        """Keep *task* until it is joined."""
        self._open.append(task)
        return task

    def join(self, wanted: tuple[str | Task, ...], timeout: float | None) -> Any:
        """Wait for tasks by name; return their values in order, or the one value.

        Raises what a task raised, TaskMissing for a name nobody bears, JoinTimeout.
        """
        deadline = None if timeout is None else self._clock.now() + timeout
        found = [task for each in wanted for task in self._find(each)]
        for task in found:
            left = None if deadline is None else max(deadline - self._clock.now(), 0.0)
            if not task.wait(left):
                raise JoinTimeout(f"task «{task.name}» did not end within {timeout:g} s")
        self._open = [task for task in self._open if task not in found]
        for task in found:
            if task.error is not None:
                raise task.error
        values = [task.value for task in found]
        return values[0] if len(wanted) == len(values) == 1 else values

    def settle(self) -> None:
        """Wait for what was not joined; a failure stays recorded, an ended session is passed on."""
        while self._open:
            task = self._open.pop(0)
            try:
                task.wait(None)
            except BaseException:
                task.end()
                self.end()
                raise
            if isinstance(task.error, Ended):
                self.end()
                raise task.error

    def end(self) -> None:
        """End every task."""
        while self._open:
            self._open.pop().end()

    def _find(self, wanted: str | Task) -> list[Task]:
        if isinstance(wanted, Task):
            return [wanted]
        named = [task for task in self._open if task.name == wanted]
        if not named:
            known = ", ".join(f"«{task.name}»" for task in self._open) or "none"
            raise TaskMissing(f"no task «{wanted}» to join; spawned and not joined yet: {known}")
        return named
