"""What an environment says about series: their names, which are kept, which are its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from chaperon.errors import LoadError
from chaperon.measure.meter import Derived, Naming
from chaperon.measure.sample import Sample

Rule = Callable[[str], str | bool | None] | Mapping[str, str | None] | Derived
Rules = Rule | Sequence[Rule] | None


def metric(name: str, value: Callable[[Sample], float], *, of: str = ".*") -> Derived:
    """Return a series of the environment's own, for its `metrics=`.

    *value* computes it from each sample whose series name matches the pattern *of*, whole:
    `metric("payload", lambda sample: sample.bytes, of="GET .*")`.
    """
    pattern = _pattern(of)
    return Derived(name, lambda other: pattern.fullmatch(other) is not None, value)


def read(rules: Rules) -> tuple[Naming | None, tuple[Derived, ...]]:
    """Turn an environment's `metrics=` into how series are named, and its own series.

    A rule is a function of the name (a new name or True keeps it, None or False leaves it
    out), or a mapping from patterns to replacements (None leaves it out), or a `metric`.
    Raises LoadError.
    """
    if rules is None:
        return None, ()
    listed: Sequence[Rule] = [rules] if callable(rules) or isinstance(rules, (Mapping, Derived)) else rules
    namings: list[Naming] = []
    derived: list[Derived] = []
    for rule in listed:
        if isinstance(rule, Derived):
            derived.append(rule)
        elif isinstance(rule, Mapping):
            namings.append(_by_pattern(rule))
        elif callable(rule):
            namings.append(_by_function(rule))
        else:
            raise LoadError(f"metrics= takes functions, mappings from pattern to name, metric(…); got {rule!r}")
    return (_in_turn(namings) if namings else None), tuple(derived)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as exc:
        raise LoadError(f"metrics=: {text!r} is not a regular expression: {exc}") from None


def _by_pattern(rule: Mapping[str, str | None]) -> Naming:
    pairs = [(_pattern(text), name) for text, name in rule.items()]

    def named(name: str) -> str | None:
        for pattern, new in pairs:
            if pattern.search(name):
                return None if new is None else pattern.sub(new, name)
        return name

    return named


def _by_function(rule: Callable[[str], str | bool | None]) -> Naming:
    def named(name: str) -> str | None:
        new = rule(name)
        if not isinstance(new, (str, bool, type(None))):
            raise TypeError(f"a rule returns a name, True, False or None; got {new!r}")
        return name if new is True else None if new is False else new

    return named


def _in_turn(namings: Sequence[Naming]) -> Naming:
    def named(name: str) -> str | None:
        new: str | None = name
        for naming in namings:
            new = None if new is None else naming(new)
        return new

    return named
