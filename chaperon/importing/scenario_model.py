"""What an importer read: requests in steps, steps in scenarios, before they become source text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from chaperon.importing.python_code import Bracketed, Code, Template, call
from chaperon.lazy_dataclass import lazy_dataclass


@lazy_dataclass(frozen=True)
class Secret(Code):
    """A secret that a run reads from an environment variable; its text is how a step uses it."""

    key: str = ""

    @property
    def variable(self) -> str:
        """The name of the environment variable."""
        return self.key.upper()

    def reference(self, prefix: str = "") -> Bracketed:
        """Return the expression for it outside steps: a reference with the text before the secret."""
        return call("secret", f"env:{self.variable}", **({"prefix": prefix} if prefix else {}))


@lazy_dataclass(frozen=True)
class Capture:
    """A value of a response that later requests use: `session.assign(NAME=response.METHOD(ARGUMENT))`."""

    variable: str
    expression: str


@lazy_dataclass
class ImportedRequest:
    """One request: *url* is without its query, *arguments* are keywords of `requests`, such as `json` and `auth`."""

    method: str
    url: Any
    params: Any = None
    headers: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    expect: Any = None
    captures: list[Capture] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


@lazy_dataclass
class ImportedStep:
    """A step: its requests, the pause after it (seconds, or the least and the most), its docstring."""

    name: str
    requests: list[ImportedRequest] = field(default_factory=list)
    think: Any = None
    text: str = ""


@lazy_dataclass
class ImportedScenario:
    """A scenario: its name and its steps."""

    name: str
    steps: list[ImportedStep] = field(default_factory=list)


@lazy_dataclass
class ImportedModule:
    """A whole module: *options* are further keywords of the environment, *feeds* rows of data by variable name."""

    title: str
    base_url: Any
    scenarios: list[ImportedScenario] = field(default_factory=list)
    headers: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    feeds: dict[str, list[Any]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def requests(self) -> Iterator[ImportedRequest]:
        """Every request, in order."""
        for scenario in self.scenarios:
            for step in scenario.steps:
                yield from step.requests


def has_reference(value: Any) -> bool:
    """Return whether every expression within *value* is a secret at the end of its text, as `referenced` needs."""
    if isinstance(value, Template):
        return isinstance(value.parts[-1], Secret) and all(isinstance(part, str) for part in value.parts[:-1])
    if isinstance(value, Mapping):
        return all(map(has_reference, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(has_reference, value))
    return not isinstance(value, Code) or isinstance(value, Secret)


def referenced(value: Any) -> Any:
    """Return *value* with `secret(…)` for each secret within it; see `has_reference`."""
    if isinstance(value, Secret):
        return value.reference()
    if isinstance(value, Template) and isinstance(value.parts[-1], Secret):
        return value.parts[-1].reference("".join(part for part in value.parts if isinstance(part, str)))
    if isinstance(value, Mapping):
        return {key: referenced(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(referenced, value))
    return value


def codes_of(value: Any) -> Iterator[Code]:
    """Yield every expression within a value."""
    if isinstance(value, Code):
        yield value
    elif isinstance(value, Template):
        yield from (part for part in value.parts if isinstance(part, Code))
    elif isinstance(value, Bracketed):
        for _, each in value.arguments:
            yield from codes_of(each)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from codes_of(each)
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for each in value:
            yield from codes_of(each)
