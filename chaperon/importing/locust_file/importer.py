"""Import of locustfiles: users become scenarios, tasks steps, a shape the stages of a load."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from chaperon.errors import LoadError, NotEvaluated
from chaperon.importing.kinds import Imported
from chaperon.importing.locust_file.classes import LocustClass, LocustFile
from chaperon.importing.locust_file.functions import FunctionWriter
from chaperon.importing.locust_file.module_imports import import_lines, mentions
from chaperon.importing.locust_file.shape import shape_stages
from chaperon.importing.python_code import Code, call, comment_text, lines
from chaperon.importing.scenario_model import Secret

USERS_PER_WEIGHT = 10
"""Users of a class of weight 1, where no shape says how many there are."""

INTERRUPT = '''class Interrupt(Exception):
    """Ends the set of tasks in which it is raised."""
'''


def import_locust(text: str) -> Imported:
    """Return the scenario module for a locustfile. Raises LoadError where it is none, or is no Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as exc:
        raise LoadError(f"line {getattr(exc, 'lineno', None) or '?'}: {getattr(exc, 'msg', exc)}") from exc
    file = LocustFile(tree)
    writer = FunctionWriter(file, text)
    scenarios = [(writer.user(each), each) for each in file.users]
    stages = _stages(file, writer)
    environment = _environment(file, writer, scenarios, stages)
    body = [writer.kept_text(), writer.constants_text(), *writer.functions]
    if writer.interrupts:
        body.insert(0, INTERRUPT)
    code = "\n\n\n".join(each.strip("\n") for each in body if each.strip())
    ending = "\n".join(lines(scenario.code, before=f"{scenario.variable} = ") for scenario, _ in scenarios)
    text_below = f"{code}\n\n\n{ending}\n\n{environment}\n"
    names = ["Environment", "Scenario", "between", "run", "secret", "stages", "step", "users"]
    standard = "from contextlib import suppress\n" if mentions(text_below, "suppress") else ""
    ours = f"from chaperon import {', '.join(each for each in names if mentions(text_below, each))}\n"
    imports = import_lines([*writer.import_nodes(), *ast.parse(standard + ours).body], text_below)
    found = sorted({*file.left_out, *writer.remarks})
    remarks = tuple(f"line {line}: {each}" if line else each for line, each in found)
    title = ast.get_docstring(tree) or f"{', '.join(each.name for each in file.users)}, from a locustfile."
    gap = "\n" * (2 if code.startswith(("def ", "class ", "@", "async ", "#")) else 1)
    return Imported(f"{_docstring(title, writer.secrets.made, remarks)}\n\n{imports}\n{gap}{text_below}", remarks)


def _environment(file: LocustFile, writer: FunctionWriter, scenarios: list[Any], stages: Any) -> str:
    entries = []
    fixed = sum(_number(user, "fixed_count") or 0 for _, user in scenarios)
    weights = sum(_weight(user) for _, user in scenarios if not _number(user, "fixed_count"))
    for scenario, user in scenarios:
        wait = writer.load_options(user)
        if number := _number(user, "fixed_count"):
            hold = "1m" if stages is None else f"{sum(span for span, _ in stages):g}s"
            load = call("users", number, hold=hold, **wait)
        elif stages is None:
            load = call("users", _weight(user) * USERS_PER_WEIGHT, hold="1m", **wait)
        else:
            part = _weight(user) / weights
            rest = [(span, max(level - fixed, 0)) for span, level in stages]  # Locust starts the fixed ones first
            levels = [(f"{span:g}s", max(1, round(level * part)) if level else 0) for span, level in rest]
            load = call("stages", *levels, of=Code("users"), **wait)
        entries.append(call("run", Code(scenario.variable), load))
    named: dict[str, Any] = {"scenarios": entries}
    hosts = {ast.unparse(each.attributes["host"]): each for each in file.users if "host" in each.attributes}
    host = next(iter(hosts.values())).attributes["host"] if hosts else None
    for other in list(hosts.values())[1:]:
        writer.say(other.node.lineno, f"the host of {other.name}: the base URL is that of the first user")
    if any(_true(each.attributes.get("insecure")) for each in file.users):
        named["verify"] = False
    if writer.secrets.made:
        named = {"config": {each.key: each.reference() for each in writer.secrets.made}, **named}
    given = [] if host is None else [host.value if isinstance(host, ast.Constant) else Code(ast.unparse(host))]
    return lines(call("Environment", *given, **named), before="environment = ")


def _stages(file: LocustFile, writer: FunctionWriter) -> list[tuple[float, int]] | None:
    for shape in file.shapes:
        try:
            stages = shape_stages(shape.node, file.constants)
        except NotEvaluated as exc:
            writer.say(shape.node.lineno, f"the load of {shape.name}: {exc}")
        else:
            return stages
    return None


def _weight(user: LocustClass) -> int:
    return _number(user, "weight") or 1


def _number(user: LocustClass, name: str) -> int | None:
    value = user.attributes.get(name)
    found = value.value if isinstance(value, ast.Constant) else None
    return found if isinstance(found, int) and found > 0 else None


def _true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _docstring(title: str, secrets: Sequence[Secret], remarks: tuple[str, ...]) -> str:
    first = comment_text(title).strip('" ')
    text = [first if first.endswith((".", "!", "?")) else f"{first}."]
    if secrets:
        text += ["", "Set in the environment before a run:", *(f"  {each.variable}" for each in secrets)]
    if remarks:
        text += ["", "Not carried over:", *(f"- {comment_text(each)}" for each in remarks)]
    text += [""] * (len(text) > 1)
    return '"""' + "\n".join(text) + '"""'
