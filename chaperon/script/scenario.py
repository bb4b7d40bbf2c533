"""What one virtual user does: steps, an `init` before them, a `cleanup` after."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaperon.errors import LoadError
from chaperon.script.steps import OnError, StepOptions, options_of, step

if TYPE_CHECKING:
    from chaperon.script.session import Session

Step = Callable[..., Any]


class StepFailed(Exception):
    """A step failed under a policy that ends more than the visit."""

    def __init__(self, policy: OnError) -> None:
        super().__init__(policy)
        self.policy = policy


class Scenario:
    """Steps in order; functions that are not decorated become steps.

    *init* runs once per session before its first visit, *cleanup* once after its last and
    always. *name* is the label of its series, unless an entry has one.
    """

    def __init__(
        self,
        *steps: Step,
        init: Step | None = None,
        cleanup: Step | None = None,
        name: str | None = None,
    ) -> None:
        for each in (*steps, init, cleanup):
            if each is not None and not callable(each):
                raise LoadError(f"a scenario is made of functions, got {each!r}")
        if not steps:
            raise LoadError("a scenario needs at least one step: Scenario(login, look_around)")
        self.steps: tuple[Step, ...] = tuple(s if options_of(s) else step(s) for s in steps)
        self.init = init
        self.cleanup = cleanup
        self.name = name

    def __repr__(self) -> str:
        return f"<Scenario {self.name or ''}({', '.join(self.names)})>"

    @property
    def names(self) -> list[str]:
        """The names of the steps, in order."""
        return [_options(s).name for s in self.steps]

    @property
    def label(self) -> str:
        """The name given, else the variable the scenario is bound to, else its file's stem."""
        if self.name is not None:
            return self.name
        places = [inspect.unwrap(s).__globals__ for s in self.steps if hasattr(inspect.unwrap(s), "__globals__")]
        for place in places:
            for name, value in place.items():
                if value is self and not name.startswith("__"):
                    return str(name)
        return Path(places[0].get("__file__", "scenario")).stem if places else "scenario"

    def perform(self, session: Session) -> None:
        """Run the steps once.

        Raises what a step raised where its policy is "next-visit", StepFailed where it ends
        more than that.
        """
        last = len(self.steps) - 1
        for place, each in enumerate(self.steps):
            options = _options(each)
            try:
                each(session)
            except Exception as exc:
                policy = options.on_error or session.on_error
                if policy == "next-visit":
                    raise
                if policy != "continue":
                    raise StepFailed(policy) from exc
            if options.think and place != last:
                session.clock.sleep(options.think.draw(session.random))


def _options(each: Step) -> StepOptions:
    options = options_of(each)
    assert options is not None
    return options
