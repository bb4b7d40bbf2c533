"""The wait times of Locust as `think=` and `pacing=` of a load, or as a pause in a function."""

from __future__ import annotations

import ast
from typing import Any

from chaperon.importing.locust_file.classes import LocustClass
from chaperon.importing.python_code import call


def load_wait(user: LocustClass) -> tuple[dict[str, Any], str]:
    """Return `think=` or `pacing=` for the wait time of a user, and why there is none though there is a wait time."""
    if "wait_time" in user.methods:
        return {}, "it is a method; give think= or pacing= to the load"
    value = user.attributes.get("wait_time")
    if value is None:
        return {}, ""
    name, numbers = _read(value)
    match name, numbers:
        case "between", [low, high]:
            return {"think": call("between", f"{low:g}s", f"{high:g}s")}, ""
        case "constant", [span]:
            return ({"think": f"{span:g}s"} if span else {}), ""
        case "constant_pacing", [span]:
            return {"pacing": f"{span:g}s"}, ""
        case "constant_throughput", [rate] if rate:
            return {"pacing": f"{1 / rate:.6g}s"}, ""
    return {}, f"{ast.unparse(value)[:60]}; give think= or pacing= to the load"


def think_of(user: LocustClass, owner: LocustClass) -> Any:
    """Return the pause between the tasks of a sequence, None for none."""
    return load_wait(owner if "wait_time" in owner.attributes else user)[0].get("think")


def sleep_statement(tasks: LocustClass, user: LocustClass) -> str:
    """Return the statement that waits between the tasks of a set, "" for none."""
    value = tasks.attributes.get("wait_time", user.attributes.get("wait_time"))
    match _read(value) if value is not None else ("", []):
        case "between", [low, high]:
            return f"session.sleep(session.random.uniform({low:g}, {high:g}))"
        case "constant", [span] if span:
            return f"session.sleep({span:g})"
    return ""


def _read(value: ast.expr) -> tuple[str, list[float]]:
    """Return the name of a call and its arguments, if all are numbers."""
    if not isinstance(value, ast.Call):
        return "", []
    name = (
        value.func.id
        if isinstance(value.func, ast.Name)
        else value.func.attr
        if isinstance(value.func, ast.Attribute)
        else ""
    )
    try:
        numbers = [ast.literal_eval(each) for each in value.args]
    except (ValueError, TypeError):
        return name, []
    return name, [float(each) for each in numbers if isinstance(each, (int, float))]
