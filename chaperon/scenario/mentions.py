"""Whether the code of a scenario mentions a name, such as a method of the session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import unwrap
from types import CodeType, FunctionType, ModuleType
from typing import Any

_LIBRARIES = ("site-packages", "dist-packages")


def steps_mention(steps: Iterable[Callable[..., Any]], name: str) -> bool:
    """Return whether *name* is mentioned in the files of the *steps* and those that they import; see `mentions`."""
    places = [getattr(unwrap(each), "__globals__", {}) for each in steps]
    return mentions([place for place in places if not place.get("__name__", "").startswith("chaperon.")], name)


def mentions(places: Iterable[Mapping[str, Any]], name: str) -> bool:
    """Return whether *name* is an attribute or a global in a function that can be reached from *places*.

    Those are the contents of modules. Functions, methods and modules count whose files lie in the folder of one of
    them, or below it. What a function finds only when it runs is not seen.
    """
    places = list(places)
    folders = tuple({os.path.dirname(os.path.abspath(p["__file__"])) + os.sep for p in places if p.get("__file__")})
    waiting: list[Any] = [each for place in places for each in place.values()]
    seen: set[int] = {id(place) for place in places}
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, FunctionType):
            plain: Any = unwrap(value)
            code = getattr(plain, "__code__", None)
            if code is None or not _is_within(code.co_filename, folders):
                continue
            if name in _names(code):
                return True
            waiting.append(plain.__globals__)
        elif isinstance(value, ModuleType):
            if _is_within(getattr(value, "__file__", None) or "", folders):
                waiting.append(vars(value))
        elif isinstance(value, type):
            waiting += vars(value).values()
        elif isinstance(value, (staticmethod, classmethod)):
            waiting.append(value.__func__)
        elif type(value) is dict and "__name__" in value:  # the globals of a function, the contents of a module
            waiting += value.values()
    return False


def _is_within(file: str, folders: tuple[str, ...]) -> bool:
    return os.path.abspath(file).startswith(folders) and not any(each in file for each in _LIBRARIES)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names(each)
