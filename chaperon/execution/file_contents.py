"""The contents of a scenario file, and what of it nothing uses."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from chaperon.execution.environment import Environment
from chaperon.execution.scenario_module import import_file, imported_names
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.scenario.scenario import Scenario
from chaperon.scenario.steps import options_of

SESSION = "session"
"""The name of the first parameter by which a function is known to be made for visits."""
_RUN_PARTS = ("setup", "teardown")
_PARTS = {"init": "init", "cleanup": "cleanup", "on_start": "init", "on_stop": "cleanup"}
"""What functions that other tools call before and after the visits of a user are called here."""


@lazy_dataclass(frozen=True)
class Contents:
    """What a scenario file holds, by the names it is bound to; steps in order of definition.

    *imported* are the names that the file has from other modules: what they are bound to counts only where the file has
    nothing of the kind itself. *imported_steps* are those of them that are steps, *methods* the steps that a class of
    the file has. *visitors* are the functions of the file that are no steps and have a session as their first
    parameter, *others* its `setup` and `teardown`. *named* are the names that its code refers to.
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
    visitors: tuple[Callable[..., Any], ...] = ()
    others: tuple[Callable[..., Any], ...] = ()
    named: frozenset[str] = frozenset()

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
    def all_scenarios(self) -> list[Scenario]:
        """The scenarios of the file and of its environments; none where its steps are the scenario."""
        if self.functions and not (self.own_environments or self.own_scenarios):
            return []
        return [*self.scenarios.values(), *(e.scenario for v in self.environments.values() for e in v.entries)]


def contents(path: str | Path) -> Contents:
    """Import a scenario file and say what it holds. Raises LoadError."""
    path = Path(path)
    module = import_file(path)
    own = vars(module)
    plain = [
        value
        for name, value in own.items()
        if inspect.isfunction(value) and value.__name__ == name and inspect.unwrap(value).__globals__ is own
    ]
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
        tuple(f for f in plain if options_of(f) is None and _takes_session(f)),
        tuple(f for f in plain if f.__name__ in _RUN_PARTS),
        frozenset(referenced_names(path)),
    )


def unused_warnings(held: Contents, *, scenarios: bool = True) -> Iterator[str]:
    """Yield a sentence for each step, function with a session and, with *scenarios*, scenario that nothing uses.

    A function that the file refers to anywhere, or whose name begins with an underscore or with `test_`, is a helper.
    """
    known, path = held.all_scenarios, held.path
    used = {id(inspect.unwrap(f)) for scenario in known for f in _functions_of(scenario)}
    for function in held.functions if known else ():
        if id(inspect.unwrap(function)) not in used and function.__name__ not in held.named:
            options = options_of(function)
            assert options is not None
            yield f"step {options.name} of {path} is in no scenario: it is never run"
    for function in held.visitors if known or held.functions else ():
        name = function.__name__
        if id(inspect.unwrap(function)) in used or name in held.named or name.startswith(("_", "test_")):
            continue
        part = _PARTS.get(name)
        if part is None:
            yield f"{name} of {path} takes a session and is never called: write @step above it to make it a step"
        elif known:
            yield f"{name} of {path} is in no scenario: it is never run; pass it, as in Scenario(…, {part}={name})"
        elif part != name:
            yield f"{name} of {path} is never run: name it {part}"
    for function in held.others:
        if function.__name__ not in held.named and not _takes_session(function) and (known or held.functions):
            name = function.__name__
            yield f"{name} of {path} is never run: pass it, as in Environment(…, {name}={name})"
    entered = {id(each) for v in held.environments.values() for e in v.entries for each in _with_members(e.scenario)}
    if scenarios and held.own_environments:
        for name, scenario in held.own_scenarios.items():
            if id(scenario) not in entered and name not in held.named:
                yield f"scenario {name} of {path} is in no environment: it is run by name alone, as {path}:{name}"


def referenced_names(path: Path) -> set[str]:
    """Return the names that the code of a file refers to, as names or as text; recursion does not count."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return set()
    found: set[str] = set()
    for statement in tree.body:
        names = set()
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                names.add(node.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.add(node.value)
        found |= names - {getattr(statement, "name", "")}
    return found


def _takes_session(function: Callable[..., Any]) -> bool:
    return SESSION in inspect.getargs(inspect.unwrap(function).__code__).args[:1]


def _functions_of(scenario: Scenario) -> Iterator[Callable[..., Any]]:
    """Yield the steps, the init and the cleanup of a scenario, and of those it is a choice or a mix of."""
    for each in _with_members(scenario):
        yield from each.steps
        yield from (part for part in (each.init, each.cleanup) if part is not None)


def _with_members(scenario: Scenario) -> Iterator[Scenario]:
    yield scenario
    for member in getattr(scenario, "members", ()):
        yield from _with_members(member)
