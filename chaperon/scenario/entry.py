"""An entry of an environment: a scenario with its load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chaperon.errors import LoadError
from chaperon.load.kinds.load import Load
from chaperon.load.shapes import users
from chaperon.measure.plain_text import NAME, encodable
from chaperon.scenario.scenario import Mix, Scenario, Step, as_scenario

ONE_VISIT: Load = users(1)


@dataclass(frozen=True)
class Entry:
    """A scenario with its load, its label, its configuration."""

    scenario: Scenario
    load: Load = ONE_VISIT
    name: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The label of its series."""
        return encodable(self.name or self.scenario.label, NAME)

    def split_mix(self) -> tuple[Entry, ...]:
        """This entry, or one for each scenario of a mix."""
        if not isinstance(self.scenario, Mix):
            return (self,)
        return tuple(replace(self, scenario=m, name=f"{self.label}/{m.label}") for m in self.scenario.members)


def run(scenario: Scenario | Step, load: Load = ONE_VISIT, /, *, name: str | None = None, **config: Any) -> Entry:
    """Return an entry of an environment; without a load, one user makes one visit. Raises LoadError.

    A function stands for a scenario of one step.
    """
    if not isinstance(scenario, Scenario) and not callable(scenario):
        raise LoadError(f"run() takes a Scenario or a function first, got {scenario!r}")
    if not isinstance(load, Load):
        raise LoadError(f"run() takes a load second, such as users(10); got {load!r}")
    if not load.legs:
        raise LoadError(f"a load of {load} sends nothing: a pause stands before or after something")
    return Entry(as_scenario(scenario), load, name, config)
