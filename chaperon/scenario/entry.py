"""An entry of an environment: a scenario with its load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from chaperon.errors import LoadError
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.kinds.load import Load
from chaperon.load.shapes import users
from chaperon.measure.plain_text import NAME, encodable
from chaperon.scenario.scenario import Mix, Scenario, Step, as_scenario

ONE_VISIT: Load = users(1)


@lazy_dataclass(frozen=True)
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

    def paced(self) -> Entry:
        """This entry with the think time of its scenario's last step as that of its load, which needs none of its own.

        Then it passes after each visit of a user, but the last. Open loads have no such pause.
        """
        think = self.scenario.last_think
        return self if think is None else replace(self, load=self.load.with_think(think))

    @property
    def unused_thinks(self) -> list[str]:
        """A sentence for each step whose think time never passes."""
        if members := getattr(self.scenario, "members", ()):
            remedy = "a load has one for all members: users(10, hold='5m', think='1s')"
            each = [(member, remedy) for member in members if member.last_think is not None]
        else:
            own = any(getattr(leg.load, "think", None) is not None for leg in self.load.legs)
            remedy = "the load has its own" if own else "visits of this load start when they are due"
            alone = len(self.scenario.steps) == 1 and self.scenario.last_think is not None
            each = [(self.scenario, remedy)] if alone and self.paced().load == self.load else []
        return [
            f"think= of step {scenario.names[-1]} never passes: it is the last step of {scenario.label}; {why}"
            for scenario, why in each
        ]

    def split_mix(self) -> tuple[Entry, ...]:
        """This entry, or one for each scenario of a mix."""
        if not isinstance(self.scenario, Mix):
            return (self,)
        return tuple(replace(self, scenario=m, name=f"{self.label}/{m.label}") for m in self.scenario.members)


_LOAD = "it belongs to the load, as in users(10, hold='5m', {}"
_ELSEWHERE = {
    **{word: _LOAD.format(f"{word}=…)") for word in ("think", "pacing", "ramp", "hold", "in_flight", "delay")},
    "wait_time": _LOAD.format("think=between('1s', '3s'))"),
    "spawn_rate": _LOAD.format("ramp='30s')"),
    "weight": "weights stand in mix({browse: 3, buy: 1})",
    **{word: f"{word} belongs to the scenario, as in Scenario(browse, {word}={word})" for word in ("init", "cleanup")},
    "limits": "limits belong to the environment, as in Environment(limits=[…])",
}
"""What to write in place of an argument that other tools, or other functions of Chaperon, take."""


def run(scenario: Scenario | Step, load: Load = ONE_VISIT, /, *, name: str | None = None, **config: Any) -> Entry:
    """Return an entry of an environment; without a load, one user makes one visit. Raises LoadError.

    A function stands for a scenario of one step. *config* is what `session.config` has in this
    entry; words of loads, such as think=, are refused there.
    """
    if not isinstance(scenario, Scenario) and not callable(scenario):
        raise LoadError(f"run() takes a Scenario or a function first, got {scenario!r}")
    if not isinstance(load, Load):
        raise LoadError(f"run() takes a load second, such as users(10); got {load!r}")
    if given := [word for word in config if word in _ELSEWHERE]:
        word = given[0]
        raise LoadError(f"run({word}=…) would be config that only the scenario reads: {_ELSEWHERE[word]}")
    if not load.legs:
        raise LoadError(f"a load of {load} sends nothing: a pause stands before or after something")
    return Entry(as_scenario(scenario), load, name, config)


def names_of(entries: Sequence[Entry]) -> str:
    """Return the labels of entries as text."""
    return ", ".join(repr(entry.label) for entry in entries)
