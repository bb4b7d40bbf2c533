"""Scenario files: what FILE[:NAME] names, as an environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from chaperon.errors import LoadError
from chaperon.execution.environment import Environment
from chaperon.execution.file_contents import Contents, contents, unused_warnings
from chaperon.execution.scenario_module import locate
from chaperon.scenario.entry import Entry
from chaperon.scenario.scenario import Scenario

T = TypeVar("T")


def load(target: str, *, warn: Callable[[str], object] = lambda text: None) -> Environment:
    """Return what FILE[:NAME] or MODULE[:NAME] names: an environment, or a scenario or its steps wrapped in one.

    Without a name: the only environment that the file defines, else the only scenario, else its steps, else the only
    environment or scenario that it imports. *warn* is called with a sentence for each step, function with a session
    and scenario that nothing uses. Raises LoadError.
    """
    path, name = locate(target)
    held = contents(path)
    for sentence in unused_warnings(held, scenarios=name is None):
        warn(sentence)
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


def _remedy(held: Contents) -> str:
    """Return what to write in a file whose only steps do not count, or that has functions without @step."""
    if held.methods:
        method = held.methods[0]
        return f"; {method} is a method: write it as a function of the file, def {method.rpartition('.')[2]}(session)"
    if held.imported_steps:
        return f" of its own; use imported steps by name: scenario = Scenario({', '.join(held.imported_steps)})"
    if held.visitors:
        name = held.visitors[0].__name__
        return f"; {name} takes a session: write @step above it to make it a step"
    return ""


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
