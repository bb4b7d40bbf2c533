"""The `tick` of a Locust LoadTestShape, evaluated second by second by a small interpreter."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from chaperon.errors import NotEvaluated, Returned
from chaperon.importing.locust_file.stages import simplified

MOST_TICKS = 86_400
"""Seconds of the longest shape."""

MOST_STEPS = 2_000_000
"""Nodes that are evaluated for one shape."""

_BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: lambda base, power: math.pow(base, power),
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}
_UNARY: dict[type[ast.AST], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "round": round, "int": int, "float": float, "min": min, "max": max, "abs": abs, "len": len, "sum": sum,
    "enumerate": lambda many: list(enumerate(many)), "tuple": tuple, "list": list, "sorted": sorted,
}  # fmt: skip


def shape_stages(shape: ast.ClassDef, names: Mapping[str, ast.expr]) -> list[tuple[float, int]]:
    """Return (span in seconds, users at its end) of each stage of a shape, until `tick` returns None.

    *names* are the values of names of the module. Users start and stop at the rate that `tick` returns. Raises
    NotEvaluated with the reason where that cannot be computed.
    """
    tick = next((each for each in shape.body if isinstance(each, ast.FunctionDef) and each.name == "tick"), None)
    if tick is None or not tick.args.args:
        raise NotEvaluated("it has no method tick(self)")
    machine = _Machine(tick.args.args[0].arg, names)
    for each in shape.body:
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
            machine.own[each.targets[0].id] = machine.value(each.value, {})
    return simplified(_levels(machine, tick))


def _levels(machine: _Machine, tick: ast.FunctionDef) -> list[float]:
    """Return the number of users at the end of each second."""
    level, levels = 0.0, [0.0]
    for second in range(MOST_TICKS):
        machine.run_time, machine.users = float(second), round(level)
        try:
            machine.block(tick.body, {})
            wanted = None
        except Returned as returned:
            wanted = returned.value
        except (ArithmeticError, LookupError, TypeError, ValueError) as exc:
            raise NotEvaluated(f"tick raises {type(exc).__name__} after {second} s") from None
        if wanted is None:
            return levels
        if not isinstance(wanted, (tuple, list)) or len(wanted) < 2 or not all(_finite(each) for each in wanted[:2]):
            raise NotEvaluated("tick does not return (users, spawn rate)")
        users, pace = float(wanted[0]), max(0.0, float(wanted[1]))
        level = min(users, level + pace) if users > level else max(users, level - pace)
        levels.append(max(0.0, level))
    raise NotEvaluated(f"it does not end within {MOST_TICKS:,} s")


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


class _Machine:
    """Evaluates the statements of `tick`; `own` holds the attributes of the shape."""

    def __init__(self, this: str, names: Mapping[str, ast.expr]) -> None:
        self.own: dict[str, Any] = {}
        self.run_time = 0.0
        self.users = 0
        self._this = this
        self._names = names
        self._left = MOST_STEPS

    def block(self, statements: list[ast.stmt], local: dict[str, Any]) -> None:
        """Run statements. Raises Returned at a return."""
        for each in statements:
            self._count()
            match each:
                case ast.Return():
                    raise Returned(None if each.value is None else self.value(each.value, local))
                case ast.If():
                    self.block(each.body if self.value(each.test, local) else each.orelse, local)
                case ast.For() if not each.orelse:
                    for item in list(self.value(each.iter, local)):
                        self._bind(each.target, item, local)
                        self.block(each.body, local)
                case ast.Assign():
                    value = self.value(each.value, local)
                    for target in each.targets:
                        self._bind(target, value, local)
                case ast.AugAssign():
                    loaded = ast.parse(ast.unparse(each.target), mode="eval").body
                    value = self._binary(each.op, self.value(loaded, local), self.value(each.value, local))
                    self._bind(each.target, value, local)
                case ast.Expr(value=ast.Constant()) | ast.Pass():
                    pass
                case _:
                    raise NotEvaluated(f"line {each.lineno}: {ast.unparse(each).splitlines()[0]}")

    def value(self, node: ast.expr, local: Mapping[str, Any]) -> Any:
        """Return the value of an expression. Raises NotEvaluated."""
        self._count()
        match node:
            case ast.Constant():
                return node.value
            case ast.Name(id=name):
                return self._named(name, local)
            case ast.Attribute(value=ast.Name(id=this), attr=name) if this == self._this and name in self.own:
                return self.own[name]
            case ast.Attribute(value=ast.Name(id="math"), attr=name) if isinstance(getattr(math, name, None), float):
                return getattr(math, name)
            case ast.Tuple() | ast.List():
                return [self.value(each, local) for each in node.elts]
            case ast.Dict():
                keys = [None if key is None else self.value(key, local) for key in node.keys]
                return dict(zip(keys, [self.value(each, local) for each in node.values], strict=True))
            case ast.BinOp():
                return self._binary(node.op, self.value(node.left, local), self.value(node.right, local))
            case ast.UnaryOp() if type(node.op) in _UNARY:
                return _UNARY[type(node.op)](self.value(node.operand, local))
            case ast.BoolOp():
                return self._bool(node, local)
            case ast.Compare():
                return self._compare(node, local)
            case ast.IfExp():
                return self.value(node.body if self.value(node.test, local) else node.orelse, local)
            case ast.Subscript():
                return self.value(node.value, local)[self.value(node.slice, local)]
            case ast.Call() if not node.keywords:
                return self._call(node, local)
        raise NotEvaluated(f"line {node.lineno}: {ast.unparse(node)[:60]}")

    def _named(self, name: str, local: Mapping[str, Any]) -> Any:
        if name in local:
            return local[name]
        if name in self._names:
            return self.value(self._names[name], {})
        raise NotEvaluated(f"the value of {name} is not known")

    def _call(self, node: ast.Call, local: Mapping[str, Any]) -> Any:
        match node.func:
            case ast.Attribute(value=ast.Name(id=this), attr="get_run_time") if this == self._this:
                return self.run_time
            case ast.Attribute(value=ast.Name(id=this), attr="get_current_user_count") if this == self._this:
                return self.users
        given = [self.value(each, local) for each in node.args]
        match node.func:
            case ast.Name(id="range") if all(isinstance(each, int) for each in given):
                return range(*given)[:MOST_TICKS]
            case ast.Name(id=name) if name in _FUNCTIONS:
                return _FUNCTIONS[name](*given)
            case ast.Attribute(value=ast.Name(id="math"), attr=name) if callable(getattr(math, name, None)):
                return getattr(math, name)(*[float(each) for each in given])
            case ast.Attribute(value=owner, attr="get" | "items" | "keys" | "values" as name):
                mapping = self.value(owner, local)
                if isinstance(mapping, dict):
                    found = getattr(mapping, name)(*given)
                    return found if name == "get" else list(found)
        raise NotEvaluated(f"line {node.lineno}: {ast.unparse(node)[:60]}")

    def _binary(self, op: ast.AST, left: Any, right: Any) -> Any:
        if type(op) not in _BINARY or (isinstance(op, ast.Mult) and not (_finite(left) and _finite(right))):
            raise NotEvaluated(f"the operator {type(op).__name__}")
        return _BINARY[type(op)](left, right)

    def _bool(self, node: ast.BoolOp, local: Mapping[str, Any]) -> Any:
        value = None
        for each in node.values:
            value = self.value(each, local)
            if bool(value) is isinstance(node.op, ast.Or):
                return value
        return value

    def _compare(self, node: ast.Compare, local: Mapping[str, Any]) -> bool:
        left = self.value(node.left, local)
        for op, each in zip(node.ops, node.comparators, strict=True):
            right = self.value(each, local)
            if not self._binary(op, left, right):
                return False
            left = right
        return True

    def _bind(self, target: ast.expr, value: Any, local: dict[str, Any]) -> None:
        match target:
            case ast.Name(id=name):
                local[name] = value
            case ast.Attribute(value=ast.Name(id=this), attr=name) if this == self._this:
                self.own[name] = value
            case ast.Tuple() | ast.List() if len(target.elts) == len(list(value)):
                for each, part in zip(target.elts, value, strict=True):
                    self._bind(each, part, local)
            case _:
                raise NotEvaluated(f"line {target.lineno}: {ast.unparse(target)[:60]}")

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise NotEvaluated("it takes too long to compute")
