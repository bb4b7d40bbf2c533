"""Parser of loads written as Python expressions. The text is parsed, never evaluated."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from chaperon.errors import PlanError
from chaperon.load.kinds.load import Load
from chaperon.load.kinds.think import between
from chaperon.load.shapes import LEVELS, WORDS

_CALLS: dict[str, Callable[..., Any]] = {**WORDS, "between": between}
DEEP = 50


def read_load(text: str) -> Load:
    """Return the load of a text such as `rate(100, hold="1m") >> pause("10s") >> users(5, hold="1m")`.

    Only the names of loads, `between`, numbers, text, True, False, None, tuples, `>>` and `|`
    are accepted. Raises PlanError with the position of the error.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
        load = _Reader(text.strip()).value(tree.body)
    except SyntaxError as exc:
        raise PlanError(f"load: {exc.msg}{_pointed(text.strip(), (exc.offset or 1) - 1)}") from None
    except (RecursionError, MemoryError, ValueError) as exc:
        raise PlanError(f"load: {exc}: {text[:80]!r}") from None
    if not isinstance(load, Load):
        raise PlanError(f"load: {text.strip()!r} is no load: write one such as rate(100, hold='1m')")
    if not load.legs:
        raise PlanError(f"load: {text.strip()!r} sends nothing: a pause stands before or after something")
    return load


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text

    def value(self, node: ast.expr, depth: int = 0) -> Any:
        if depth > DEEP:
            raise self._wrong(node, "this is nested too deeply")
        match node:
            case ast.BinOp(left, ast.RShift() | ast.BitOr() as sign, right):
                return self._combined(node, sign, self.value(left, depth + 1), self.value(right, depth + 1))
            case ast.Call(ast.Name(name), args, keywords):
                return self._called(node, name, args, keywords, depth)
            case ast.Constant(value) if value is None or isinstance(value, (bool, int, float, str)):
                return value
            case ast.UnaryOp(ast.USub(), ast.Constant(value)) if type(value) in (int, float):
                return -value  # type: ignore[operator]
            case ast.Tuple(elements) | ast.List(elements):
                return tuple(self.value(each, depth + 1) for each in elements)
            case ast.Name(name) if name in LEVELS:
                return LEVELS[name]
            case ast.Name(name):
                raise self._wrong(node, f"{name!r} means nothing here: there are {', '.join(_CALLS)}")
        raise self._wrong(node, "only loads, numbers, text, >> and | are understood here")

    def _called(self, node: ast.expr, name: str, args: list[ast.expr], keywords: list[ast.keyword], depth: int) -> Any:
        if name not in _CALLS:
            raise self._wrong(node, f"there is no load {name!r}: there are {', '.join(WORDS)}")
        given = [self.value(each, depth + 1) for each in args]
        named = {}
        for keyword in keywords:
            if keyword.arg is None:
                raise self._wrong(keyword.value, "** is not understood here")
            named[keyword.arg] = self.value(keyword.value, depth + 1)
        try:
            return _CALLS[name](*given, **named)
        except TypeError as exc:
            raise self._wrong(node, re.sub(r"\(\)", "", str(exc), count=1))
        except PlanError as exc:
            raise self._wrong(node, str(exc))

    def _combined(self, node: ast.expr, sign: ast.operator, left: Any, right: Any) -> Load:
        for side in (left, right):
            if not isinstance(side, Load):
                name = ">>" if isinstance(sign, ast.RShift) else "|"
                raise self._wrong(node, f"{name} stands between loads, not {side!r}")
        try:
            whole: Load = left >> right if isinstance(sign, ast.RShift) else left | right
        except PlanError as exc:
            raise self._wrong(node, str(exc))
        return whole

    def _wrong(self, node: ast.expr, why: str) -> PlanError:
        before = self._text.encode().splitlines()[node.lineno - 1][: node.col_offset].decode(errors="replace")
        place = sum(len(line) + 1 for line in self._text.splitlines()[: node.lineno - 1]) + len(before)
        return PlanError(f"load, character {place + 1}: {why}{_pointed(self._text, place)}")


def _pointed(text: str, place: int) -> str:
    return f"\n  {text}\n  {' ' * place}^" if "\n" not in text else ""
