"""Scenario files: found, imported, understood."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from chaperon.errors import LoadError
from chaperon.execution.environment import Environment
from chaperon.execution.scenario_module import import_file, imported_names, locate
from chaperon.scenario.entry import Entry
from chaperon.scenario.scenario import Scenario
from chaperon.scenario.steps import options_of

T = TypeVar("T")


@dataclass(frozen=True)
class Contents:
    """What a scenario file holds, by the names it is bound to; steps in order of definition.

    *imported* are the names that the file has from other modules: what they are bound to counts only where the file has
    nothing of the kind itself. *imported_steps* are those of them that are steps, *methods* the steps that a class of
    the file has.
    """

    path: Path
    environments: Mapping[str, Environment]
    scenarios: Mapping[str, Scenario]
    functions: tuple[Callable[..., Any], ...]
    init: Callable[..., Any] | None
    cleanup: Callable[..., Any] | None
    imported: frozenset[str] = frozenset()
    imported_steps: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of the module's own steps."""
        return tuple(options.name for f in self.functions if (options := options_of(f)))

    @property
    def own_environments(self) -> Mapping[str, Environment]:
        """The environments that the file itself defines."""
        return {name: each for name, each in self.environments.items() if name not in self.imported}

    @property
    def own_scenarios(self) -> Mapping[str, Scenario]:
        """The scenarios that the file itself defines."""
        return {name: each for name, each in self.scenarios.items() if name not in self.imported}

    @property
    def unused_steps(self) -> tuple[str, ...]:
        """The steps of the file that are in none of its scenarios and that none of its functions calls.

        Empty where the file has no environment and no scenario: then its steps are the scenario.
        """
        scenarios = [*self.scenarios.values(), *(e.scenario for v in self.environments.values() for e in v.entries)]
        if not scenarios:
            return ()
        used = {id(inspect.unwrap(step)) for scenario in scenarios for step in _all_steps(scenario)}
        called = {name for f in self.functions for name in inspect.unwrap(f).__code__.co_names}
        return tuple(
            options.name
            for f in self.functions
            if (options := options_of(f)) and id(inspect.unwrap(f)) not in used and f.__name__ not in called
        )


def load(target: str, *, warn: Callable[[str], object] = lambda text: None) -> Environment:
    """Return what FILE[:NAME] or MODULE[:NAME] names: an environment, or a scenario or its steps wrapped in one.

    Without a name: the only environment that the file defines, else the only scenario, else its steps, else the only
    environment or scenario that it imports. *warn* is called with a sentence for each step that nothing uses.
    Raises LoadError.
    """
    path, name = locate(target)
    held = contents(path)
    for step in held.unused_steps:
        warn(f"step {step} of {path} is in no scenario: it is never run")
    if held.methods and (held.functions or held.scenarios or held.environments):
        warn(f"{', '.join(held.methods)} of {path}: a method is no step; write it as a function of the file")
    if name is not None:
        if name in held.environments:
            return held.environments[name]
        if name in held.scenarios:
            return _wrapped(held.scenarios[name], name)
        known = [*held.environments, *held.scenarios]
        there = f"there are {', '.join(known)}" if known else "it holds none"
        raise LoadError(f"{path} has no environment or scenario {name!r}; {there}")
    stem = path.parent.name if path.name == "__init__.py" else path.stem
    if held.own_environments:
        return _environment(held.own_environments, path)
    if held.own_scenarios:
        return _scenario(held.own_scenarios, path)
    if held.functions:
        return _wrapped(Scenario(*held.functions, init=held.init, cleanup=held.cleanup, name=stem), stem)
    if held.environments:
        return _environment(held.environments, path)
    if held.scenarios:
        return _scenario(held.scenarios, path)
    raise LoadError(f"{path} holds no @step function, no Scenario and no Environment{_remedy(held)}")


def contents(path: str | Path) -> Contents:
    """Import a scenario file and say what it holds. Raises LoadError."""
    path = Path(path)
    module = import_file(path)
    own = vars(module)
    return Contents(
        path,
        {
            name: value if value.name != "environment" else replace(value, name=name)
            for name, value in own.items()
            if isinstance(value, Environment)
        },
        {name: value for name, value in own.items() if isinstance(value, Scenario)},
        tuple(
            value
            for value in own.values()
            if inspect.isfunction(value) and options_of(value) and inspect.unwrap(value).__globals__ is own
        ),
        own.get("init"),
        own.get("cleanup"),
        frozenset(imported_names(module, path)),
        tuple(
            name
            for name, value in own.items()
            if inspect.isfunction(value) and options_of(value) and inspect.unwrap(value).__globals__ is not own
        ),
        tuple(
            f"{value.__name__}.{name}"
            for value in own.values()
            if inspect.isclass(value) and value.__module__ == module.__name__
            for name, method in vars(value).items()
            if inspect.isfunction(method) and options_of(method)
        ),
    )


def _remedy(held: Contents) -> str:
    """Return what to write in a file whose only steps do not count: methods, and imported functions."""
    if held.methods:
        method = held.methods[0]
        return f"; {method} is a method: write it as a function of the file, def {method.rpartition('.')[2]}(session)"
    if held.imported_steps:
        return f" of its own; use imported steps by name: scenario = Scenario({', '.join(held.imported_steps)})"
    return ""


def _all_steps(scenario: Scenario) -> Iterator[Callable[..., Any]]:
    """Yield the steps of a scenario, and of those it is a choice or a mix of."""
    yield from scenario.steps
    for member in getattr(scenario, "members", ()):
        yield from _all_steps(member)


def _environment(named: Mapping[str, Environment], path: Path) -> Environment:
    chosen, environment = _only(named, path, "environments")
    return environment if environment.name != "environment" else replace(environment, name=chosen)


def _scenario(named: Mapping[str, Scenario], path: Path) -> Environment:
    chosen, scenario = _only(named, path, "scenarios")
    return _wrapped(scenario, chosen)


def _only(named: Mapping[str, T], path: Path, what: str) -> tuple[str, T]:
    if len(named) > 1:
        first = next(iter(named))
        raise LoadError(f"{path} holds several {what}: {', '.join(named)}; say which, as in {path}:{first}")
    return next(iter(named.items()))


def _wrapped(scenario: Scenario, name: str) -> Environment:
    return Environment(scenarios=[Entry(scenario)], name=name)
