"""What one virtual user does: steps, an `init` before them, a `cleanup` after."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaperon.clock import WAIT, seconds
from chaperon.errors import LoadError, VisitTimeout
from chaperon.interrupts import is_interrupt
from chaperon.load.arrivals import seeded_random
from chaperon.load.kinds.think import Between
from chaperon.load.weights import choose_in_turn, whole
from chaperon.measure.failures import clear_listed
from chaperon.measure.timed_block import series_name
from chaperon.scenario.step_loop import PlannedStep, run_in_order
from chaperon.scenario.steps import StepOptions, options_of, step, step_time_limit
from chaperon.session.functions import require_plain_function
from chaperon.session.timeouts import TimeLimit

if TYPE_CHECKING:
    from chaperon.session.context import SessionContext, VisitInfo
    from chaperon.session.session import Session

Step = Callable[..., Any]
CLEANUP_TIMEOUT = 10.0
"""Seconds a cleanup may take."""


class Scenario:
    """Steps in order; functions that are not decorated become steps.

    *init* runs once per session before its first visit, *cleanup* once after its last, even if
    that failed. *name* is the label of its series, unless the entry has a name. A visit that
    takes longer than *timeout* is stopped with its tasks, and counts as interrupted. Raises
    LoadError for no steps or for steps that are not functions.
    """

    def __init__(
        self,
        *steps: Step,
        init: Step | None = None,
        cleanup: Step | None = None,
        name: str | None = None,
        timeout: float | str | None = None,
    ) -> None:
        for each in (*steps, init, cleanup):
            if each is not None and not callable(each):
                raise LoadError(f"a scenario is made of functions, got {each!r}")
        if not steps:
            raise LoadError("a scenario needs at least one step: Scenario(login, look_around)")
        self.steps: tuple[Step, ...] = tuple(s if options_of(s) else step(s) for s in steps)
        self._in_order = [_planned(s, _options(s)) for s in self.steps]
        self.init = None if init is None else require_plain_function(init)
        self.cleanup = None if cleanup is None else require_plain_function(cleanup)
        self.name = name
        self.timeout = None if timeout is None else seconds(timeout, most=WAIT)

    def __repr__(self) -> str:
        return f"<Scenario {self.name or ''}({', '.join(self.names)})>"

    @staticmethod
    def choose(
        weights: Mapping[Scenario | Step, float],
        *,
        init: Step | None = None,
        cleanup: Step | None = None,
        name: str | None = None,
    ) -> Scenario:
        """Return a scenario that runs one of several in each visit, drawn by weight with the run's seed.

        A function stands for a scenario of one step.

        The scenario drawn runs with its own `init` and `cleanup` in the same session; its
        series are labelled "outer/inner". *init* and *cleanup* still run once per session.
        Raises LoadError, PlanError.
        """
        return _Choice(weights, init=init, cleanup=cleanup, name=name)

    def then(self, *others: Scenario | Step, name: str | None = None) -> Scenario:
        """Return a scenario that runs the steps of this one, then those of *others*, in one visit.

        Every `init` runs in order, every `cleanup` in reverse order.
        """
        parts = (self, *map(as_scenario, others))
        inits = [part.init for part in parts if part.init is not None]
        cleanups = [part.cleanup for part in reversed(parts) if part.cleanup is not None]
        return Scenario(
            *(each for part in parts for each in part.steps),
            init=_one_after_another("init", inits),
            cleanup=_one_after_another("cleanup", cleanups),
            name=name,
        )

    @property
    def names(self) -> list[str]:
        """The names of the steps, in order."""
        return [_options(s).name for s in self.steps]

    @property
    def last_think(self) -> Between | None:
        """The think time of the last step, which passes between two visits of a user."""
        return self._in_order[-1].think

    @property
    def _planned_steps(self) -> list[PlannedStep] | None:
        """The steps, if `run_steps` only runs them in order; None with a time limit."""
        return self._in_order if self.timeout is None else None

    @property
    def label(self) -> str:
        """The name given, else the variable it is bound to, else that of its only step, else the stem of its file."""
        if self.name is not None:
            return self.name
        places = list(self._places())
        for place in places:
            for name, value in place.items():
                if value is self and not name.startswith("__"):
                    return str(name)
        return self._unbound(places)

    def all_steps(self) -> Iterator[Step]:
        """Yield its steps, and those of the scenarios it is a choice or a mix of."""
        yield from self.steps
        for member in getattr(self, "members", ()):
            yield from member.all_steps()

    def run_init(self, session: Session) -> None:
        """Run `init`, timed as «step init»."""
        if self.init is not None:
            _run_as_step(session, "init", self.init, math.inf)

    def run_steps(self, session: Session) -> None:
        """Run the steps once.

        Raises VisitTimeout, and what a step raised where its policy is "next-visit". Where the policy
        ends more than the visit, it travels to the caller in a control-flow exception.
        """
        if self.timeout is None:
            run_in_order(self._in_order, session, session.meter, session._current)
            return
        error = VisitTimeout(f"a visit took longer than the {self.timeout:g} s of its scenario")
        with TimeLimit(session.clock, self.timeout, error, session.tasks):
            run_in_order(self._in_order, session, session.meter, session._current)
            session.tasks.wait_all()

    def run_cleanup(self, session: Session) -> None:
        """Run `cleanup`, at most CLEANUP_TIMEOUT seconds, timed as «step cleanup»; wait for its tasks."""
        if self.cleanup is not None:
            _run_as_step(session, "cleanup", self.cleanup, CLEANUP_TIMEOUT)
            session.tasks.wait_all()

    def run_nested(self, session: Session) -> None:
        """Run `init` and the steps, then always `cleanup`; raises what `init` or the steps raise."""
        try:
            self.run_init(session)
            self.run_steps(session)
            session.tasks.wait_all()
        finally:
            session.tasks.end()
            try:
                self.run_cleanup(session)
            except BaseException as exc:
                if is_interrupt(exc):
                    raise
                clear_listed(exc)
                session.tasks.end()  # recorded as «step cleanup»

    def _places(self) -> Iterable[dict[str, Any]]:
        """Yield the modules' contents in which this scenario may be bound to a variable."""
        for each in self.steps:
            place = getattr(inspect.unwrap(each), "__globals__", None)
            if place is not None:
                yield place

    def _unbound(self, places: list[dict[str, Any]]) -> str:
        if len(self.steps) == 1:
            return self.names[0]
        return Path(places[0].get("__file__", "scenario")).stem if places else "scenario"


def as_scenario(value: Scenario | Step) -> Scenario:
    """Return a scenario as it is, a function as a scenario of one step, named as the step. Raises LoadError."""
    if isinstance(value, Scenario):
        return value
    if not callable(value):
        raise LoadError(f"a scenario or a function is needed, got {value!r}")
    options = options_of(value)
    return Scenario(value, name=getattr(value, "__name__", None) if options is None else options.name)


class _Several(Scenario):
    """One of several scenarios, by weight, for each visit."""

    what = "several"

    def __init__(self, weights: Mapping[Scenario | Step, float], **options: Any) -> None:
        if not isinstance(weights, Mapping) or not all(
            callable(each) or isinstance(each, Scenario) for each in weights
        ):
            raise LoadError(f"{self.what} takes scenarios by weight, as in {{shop: 3, api: 1}}; got {weights!r}")
        if not weights:
            raise LoadError(f"{self.what} needs at least one scenario")
        self.members = tuple(as_scenario(each) for each in weights)
        self.counts = whole(list(weights.values()))
        labels = [member.label for member in self.members]
        super().__init__(step(name=" | ".join(labels))(self._perform), **options)

    def choose_member(self, context: SessionContext, visit: VisitInfo) -> int:
        """Return the index of the member that runs in this visit."""
        raise NotImplementedError

    def _perform(self, session: Session) -> None:
        session.run(self.members[self.choose_member(session.context, session.visit)])

    def _places(self) -> Iterable[dict[str, Any]]:
        for each in self.members:
            yield from each._places()

    def _unbound(self, places: list[dict[str, Any]]) -> str:
        return self.what


class _Choice(_Several):
    what = "choose"

    def choose_member(self, context: SessionContext, visit: VisitInfo) -> int:
        random = seeded_random(context.seed, context.entry, *context.visit_key(visit), "choose")
        return random.choices(range(len(self.members)), self.counts)[0]


class Mix(_Several):
    """Several scenarios side by side, each with its share of the users or arrivals."""

    what = "mix"

    def choose_member(self, context: SessionContext, visit: VisitInfo) -> int:
        number, leg = divmod(visit.number if context.numbering.numbered else visit.user, context.numbering.legs)
        return choose_in_turn(self.counts, number, context.seed, context.entry, leg)


def mix(weights: Mapping[Scenario | Step, float], *, name: str | None = None) -> Mix:
    """Return several scenarios to be run as one: `run(mix({shop: 3, api: 1}), users(100))`. Functions are accepted too.

    Of every four users (of an open load: arrivals) exactly three run `shop`, in an order that
    the seed decides. Each scenario has its own sessions, labelled "mix/shop".
    Raises LoadError, PlanError.
    """
    return Mix(weights, name=name)


def _options(each: Step) -> StepOptions:
    options = options_of(each)
    assert options is not None
    return options


def _planned(timed: Step, options: StepOptions) -> PlannedStep:
    label = series_name(options.name, "step")
    return PlannedStep(timed, options.plain, label, options.think, options.on_error)


def _run_as_step(session: Session, name: str, work: Step, within: float) -> None:
    """Run `init` or `cleanup` as a step of that name, unless it is one by itself."""
    timed = nullcontext() if options_of(work) is not None else session.measure(name, kind="step")
    with timed, step_time_limit(session, name, within):
        work(session)


def _one_after_another(name: str, functions: list[Step]) -> Step | None:
    """Return a function that calls them all, even if one fails; it raises what the first of them raised."""

    def together(session: Session) -> None:
        failed: list[BaseException] = []
        for function in functions:
            try:
                function(session)
            except BaseException as exc:
                if is_interrupt(exc):
                    raise
                failed.append(exc)
                if name == "init":
                    break
        if failed:
            raise failed[0]

    return together if functions else None
