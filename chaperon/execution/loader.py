"""Scenario files: found, imported, understood."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from chaperon.errors import ChaperonError, LoadError
from chaperon.execution.environment import Environment
from chaperon.execution.import_guard import search
from chaperon.interrupts import is_interrupt, traceback_of
from chaperon.measure.exception_text import describe, text_of
from chaperon.scenario.entry import Entry
from chaperon.scenario.scenario import Scenario
from chaperon.scenario.steps import options_of

T = TypeVar("T")


@dataclass(frozen=True)
class Contents:
    """What a scenario file holds, by the names it is bound to; steps in order of definition."""

    path: Path
    environments: Mapping[str, Environment]
    scenarios: Mapping[str, Scenario]
    functions: tuple[Callable[..., Any], ...]
    init: Callable[..., Any] | None
    cleanup: Callable[..., Any] | None

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of the module's own steps."""
        return tuple(options.name for f in self.functions if (options := options_of(f)))


def load(target: str) -> Environment:
    """Return what FILE[:NAME] names: an environment, or a scenario or its steps wrapped in one.

    Without a name: the only environment, else the only scenario, else the module's steps.
    Raises LoadError.
    """
    path, name = _split(target)
    held = contents(path)
    if name is not None:
        if name in held.environments:
            return held.environments[name]
        if name in held.scenarios:
            return _wrapped(held.scenarios[name], name)
        known = [*held.environments, *held.scenarios]
        there = f"there are {', '.join(known)}" if known else "it holds none"
        raise LoadError(f"{path} has no environment or scenario {name!r}; {there}")
    if held.environments:
        chosen, environment = _only(held.environments, path, "environments")
        return environment if environment.name != "environment" else replace(environment, name=chosen)
    if held.scenarios:
        chosen, scenario = _only(held.scenarios, path, "scenarios")
        return _wrapped(scenario, chosen)
    if not held.functions:
        raise LoadError(f"{path} holds no @step function, no Scenario and no Environment")
    scenario = Scenario(*held.functions, init=held.init, cleanup=held.cleanup, name=path.stem)
    return _wrapped(scenario, path.stem)


def contents(path: str | Path) -> Contents:
    """Import a scenario file and say what it holds. Raises LoadError."""
    path = Path(path)
    module = _imported(path)
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
            if inspect.isfunction(value) and options_of(value) and _unwrapped(value).__globals__ is own
        ),
        own.get("init"),
        own.get("cleanup"),
    )


def _split(target: str) -> tuple[Path, str | None]:
    if Path(target).exists():
        return Path(target), None
    file, colon, name = target.rpartition(":")
    if colon and file:
        return Path(file), name
    return Path(target), None


def _only(named: Mapping[str, T], path: Path, what: str) -> tuple[str, T]:
    if len(named) > 1:
        first = next(iter(named))
        raise LoadError(f"{path} holds several {what}: {', '.join(named)}; say which, as in {path}:{first}")
    return next(iter(named.items()))


def _wrapped(scenario: Scenario, name: str) -> Environment:
    return Environment(scenarios=[Entry(scenario)], name=name)


def _unwrapped(function: Any) -> Any:
    return inspect.unwrap(function)


def _imported(path: Path) -> ModuleType:
    if path.is_dir():
        raise LoadError(f"{path} is a directory: name a Python file in it")
    if not path.is_file():
        raise LoadError(f"no such file: {path}")
    name = path.stem if path.stem not in sys.modules else f"scenario_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise LoadError(f"{path} is not a Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    search(str(path.resolve().parent))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as exc:
        file = path if exc.filename in (None, str(path.resolve())) else exc.filename
        raise LoadError(f"{file}, line {exc.lineno or '?'}: syntax error: {exc.msg}") from exc
    except ChaperonError as exc:
        raise LoadError(f"{path}, line {_line(exc, path)}: {text_of(exc)}") from exc
    except BaseException as exc:
        if is_interrupt(exc):
            raise
        raise LoadError(f"{path}, line {_line(exc, path)}: {describe(exc)}") from exc
    return module


def _line(exc: BaseException, path: Path) -> int | str:
    """Return the last line of the file itself on the way to the exception."""
    here = str(path.resolve())
    lines = [frame.lineno for frame in traceback.extract_tb(traceback_of(exc)) if frame.filename == here]
    return lines[-1] if lines and lines[-1] is not None else "?"
