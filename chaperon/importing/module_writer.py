"""The source text of a scenario module, from what an importer read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from chaperon.importing.python_code import Bracketed, Code, call, comment_text, identifier, lines
from chaperon.importing.scenario_model import (
    ImportedModule,
    ImportedRequest,
    ImportedScenario,
    ImportedStep,
    Secret,
    codes_of,
    has_reference,
    referenced,
)

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
"""Methods that a session has a function for."""

RESERVED = frozenset({
    "session", "response", "secret", "environment", "between", "feed", "run", "step", "init", "cleanup", "setup",
    "users", "print", "float", "list", "dict", "str",
})  # fmt: skip
"""Names that steps and scenarios of a module cannot have."""


def module_text(module: ImportedModule) -> str:
    """Return the module as Python source, formatted."""
    hoist_headers(module)
    names = {*RESERVED, *module.feeds}
    steps, scenarios = [], []
    for scenario in module.scenarios:
        functions = []
        for each in scenario.steps:
            functions.append(identifier(each.name, names))
            names.add(functions[-1])
            steps.append(_step_text(each, functions[-1]))
        variable = identifier(scenario.name, names, default="scenario")
        names.add(variable)
        scenarios.append((variable, _scenario_code(scenario, variable, functions)))
    environment = _environment(module, [variable for variable, _ in scenarios])
    parts = [
        _docstring(module),
        _imports(module),
        "\n" * bool(module.feeds),
        *(lines(_feed(rows), before=f"{name} = ") + "\n" for name, rows in module.feeds.items()),
        *("\n\n" + text for text in steps),
        "\n\n",
        *(lines(code, before=f"{variable} = ") + "\n" for variable, code in scenarios),
        "\n",
        lines(environment, before="environment = ") + "\n",
    ]
    return "".join(parts)


def hoist_headers(module: ImportedModule) -> None:
    """Move the headers that every request of the base URL has to the environment."""
    own = [each for each in module.requests if not _elsewhere(each)]
    counted = Counter((name.lower(), repr(value)) for each in own for name, value in each.headers.items())
    common = {key for key, n in counted.items() if n == len(own)}
    for each in own:
        for name, value in list(each.headers.items()):
            if (name.lower(), repr(value)) in common and name.lower() != "content-type" and has_reference(value):
                module.headers.setdefault(name, value)
                del each.headers[name]


def request_call(request: ImportedRequest) -> Bracketed:
    """Return the call of the session that sends a request."""
    method = request.method.lower()
    named: dict[str, Any] = {}
    if request.params:
        named["params"] = request.params
    named.update(request.arguments)
    if request.headers:
        named["headers"] = request.headers
    if request.name is not None:
        named["name"] = request.name
    if request.expect is not None:
        named["expect"] = request.expect
    if method in METHODS:
        return call(f"session.{method}", request.url, **named)
    return call("session.request", request.method, request.url, **named)


def think_code(think: Any) -> Any:
    """Return a pause in seconds, or one between two, as the value of `think=`."""
    if isinstance(think, tuple):
        low, high = (f"{each:g}s" for each in think)
        return low if low == high else call("between", low, high)
    return f"{think:g}s"


def _step_text(step: ImportedStep, function: str) -> str:
    options = {} if step.think is None else {"think": think_code(step.think)}
    decorator = call("@step", **options) if options else Code("@step")
    body = list(_body(step))
    head = f"{lines(decorator)}\ndef {function}(session):\n"
    return head + "".join(f"{line}\n" for line in body)


def _body(step: ImportedStep) -> Iterator[str]:
    if step.text:
        yield f'    """{_sentence(step.text)}"""'
    for request in step.requests:
        for remark in request.remarks:
            yield f"    # {comment_text(remark)}"
        if not request.captures:
            yield lines(request_call(request), indent=4)
            continue
        yield lines(request_call(request), indent=4, before="response = ")
        for each in request.captures:
            yield lines(call("session.assign", **{each.variable: Code(each.expression)}), indent=4)
    if not step.requests:
        yield "    pass" if not step.text else ""


def _scenario_code(scenario: ImportedScenario, variable: str, functions: list[str]) -> Bracketed:
    named = {} if scenario.name == variable else {"name": comment_text(scenario.name) or variable}
    return call("Scenario", *map(Code, functions), **named)


def _environment(module: ImportedModule, scenarios: list[str]) -> Bracketed:
    named: dict[str, Any] = {}
    if module.headers:
        named["headers"] = referenced(module.headers)
    named.update(referenced(module.options))
    config: dict[str, Any] = {each.key: each.reference() for each in _secrets(module.requests)}
    if config or module.config:
        named["config"] = {**config, **module.config}
    named["scenarios"] = [Code(each) for each in scenarios]
    return call("Environment", *([module.base_url] if module.base_url else []), **named)


def _secrets(requests: Iterable[ImportedRequest], *others: Any) -> list[Secret]:
    """Return the secrets that *requests* and *others* use, each once."""
    values = [*others, *([each.url, each.params, each.headers, each.arguments] for each in requests)]
    return list(dict.fromkeys(code for code in codes_of(values) if isinstance(code, Secret)))


def _feed(rows: list[Any]) -> Bracketed:
    return call("feed", rows, order="random")


def _imports(module: ImportedModule) -> str:
    secret = ["secret"] * bool(_secrets(module.requests, module.headers, module.options))
    thinks = [each.think for scenario in module.scenarios for each in scenario.steps]
    between = any(isinstance(each, tuple) and each[0] != each[1] for each in thinks)
    names = ["Environment", "Scenario", *["between"] * between, *["feed"] * bool(module.feeds), *secret, "step"]
    files = any(each.text.startswith("Path(") for request in module.requests for each in codes_of(request.arguments))
    first = "from pathlib import Path\n\n" if files else ""
    return f"{first}from chaperon import {', '.join(names)}\n"


def _docstring(module: ImportedModule) -> str:
    secrets = [each.variable for each in _secrets(module.requests, module.headers, module.options)]
    text = [_sentence(module.title)]
    if secrets:
        text += ["", "Set in the environment before a run:", *(f"  {each}" for each in secrets)]
    if module.remarks:
        text += ["", "Not carried over:", *(f"- {comment_text(each)}" for each in module.remarks)]
    end = "" if len(text) == 1 else "\n"
    return f'"""{chr(10).join(text)}{end}"""\n\n'


def _sentence(text: str) -> str:
    """Return text for a docstring: one line that does not end in a quote and has a full stop."""
    clean = comment_text(text).strip('" ') or "Imported"
    return clean if clean.endswith((".", "!", "?")) else f"{clean}."


def _elsewhere(request: ImportedRequest) -> bool:
    """Return whether a request does not go to the base URL."""
    return isinstance(request.url, str) and request.url.lower().startswith(("http://", "https://"))
