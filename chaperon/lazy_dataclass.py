"""Dataclasses whose `__init__` is compiled when it is first used: most are not needed to start a run."""

from __future__ import annotations

import sys
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, fields
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["lazy_dataclass"]


class _NotGiven:
    """What a parameter with a default factory is if no argument is given."""

    def __repr__(self) -> str:
        return "<factory>"


_NOT_GIVEN: Any = _NotGiven()

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as lazy_dataclass
else:

    def lazy_dataclass(
        cls: type | None = None,
        /,
        *,
        frozen: bool = False,
        slots: bool = False,
        repr: bool = True,
        kw_only: bool = False,
    ) -> Any:
        """Make a dataclass that behaves as one of `dataclasses.dataclass` with the same options.

        That compiles each of six methods from text, which takes longer than all else in the import of
        a small module. Here `__init__` alone is compiled, when it is first looked up. Methods that the class defines
        are kept. Frozen instances raise FrozenInstanceError when a field is assigned or deleted.
        """

        def make(bare: type) -> type:
            slotted = slots and "__mypyc_attrs__" not in vars(bare)  # a compiled class has its own, and no copies
            made = dataclass(init=False, repr=False, eq=False, kw_only=kw_only, slots=slotted)(bare)
            methods = {"__init__": _Init(made, frozen), **_comparison(made)}
            if repr:
                methods["__repr__"] = _repr_of(made)
            kept = {name for name in methods if name in vars(made)}
            if vars(made).get("__hash__") is None:  # Python sets None beside an `__eq__` of the class
                kept.discard("__hash__")
                methods["__hash__"] = methods["__hash__"] if frozen else None
            if frozen:
                methods |= _frozen(made, slotted)
            for name, method in methods.items():
                if name not in kept:
                    setattr(made, name, method)
            return made

        return make if cls is None else make(cls)


class _Init:
    """Takes the place of `__init__` until it is first looked up."""

    __slots__ = ("cls", "frozen")

    def __init__(self, cls: type, frozen: bool) -> None:
        self.cls, self.frozen = cls, frozen

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        method = self.cls.__init__ = _compiled_init(self.cls, self.frozen)  # type: ignore[misc]
        return method.__get__(instance, owner)


def _compiled_init(cls: Any, frozen: bool) -> Any:
    """Return `__init__`, which assigns each field its argument, its default or what its factory returns."""
    given: dict[str, Any] = {"_set": object.__setattr__, "_not_given": _NOT_GIVEN}
    parameters, body = [], []
    found = fields(cls)
    for field in sorted(found, key=lambda each: each.kw_only is True):  # as they are written, keywords last
        default, value = _default_and_value(field, given)
        if field.init:
            if field.kw_only and "*" not in parameters:
                parameters.append("*")
            parameters.append(f"{field.name}{default}")
        if field.init or default:
            body.append(f"_set(self, {field.name!r}, {value})" if frozen else f"self.{field.name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    head = f"def __init__({', '.join(['self', *parameters])}):"
    text = f"def outer({', '.join(given)}):\n {head}\n  " + "\n  ".join(body or ["pass"]) + "\n return __init__"
    namespace: dict[str, Any] = {}
    exec(text, vars(sys.modules[cls.__module__]), namespace)
    method = namespace["outer"](**given)
    method.__qualname__ = f"{cls.__qualname__}.__init__"
    method.__annotations__ = {**{each.name: each.type for each in found if each.init}, "return": None}
    return method


def _default_and_value(field: Field[Any], given: dict[str, Any]) -> tuple[str, str]:
    """Return the text of a field's default as a parameter and of its value; add to *given* what they refer to."""
    name = field.name
    if field.default_factory is not MISSING:
        given[f"_made_{name}"] = field.default_factory
        made = f"_made_{name}()"
        return "=_not_given", f"{made} if {name} is _not_given else {name}" if field.init else made
    if field.default is not MISSING:
        given[f"_default_{name}"] = field.default
        return f"=_default_{name}", name if field.init else f"_default_{name}"
    return "", name


def _comparison(cls: Any) -> dict[str, Any]:
    """Return `__eq__` and `__hash__`."""
    compared = _values([each.name for each in fields(cls) if each.compare])
    hashed = _values([each.name for each in fields(cls) if (each.compare if each.hash is None else each.hash)])

    def __eq__(self: Any, other: object) -> bool:  # noqa: N807 - a method, made outside its class
        if other.__class__ is not self.__class__:
            return NotImplemented
        same: bool = compared(self) == compared(other)
        return same

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(hashed(self))

    return {"__eq__": __eq__, "__hash__": __hash__}


def _values(names: list[str]) -> Callable[[Any], Any]:
    """Return a function that returns the attributes of *names* of an object, as a tuple."""
    if not names:
        return lambda _: ()
    return attrgetter(*names) if len(names) > 1 else attrgetter(*names, *names)


def _repr_of(cls: Any) -> Any:
    names = [each.name for each in fields(cls) if each.repr]

    @recursive_repr()
    def __repr__(self: Any) -> str:  # noqa: N807 - a method, made outside its class
        values = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
        return f"{self.__class__.__qualname__}({values})"

    return __repr__


def _frozen(cls: Any, slots: bool) -> dict[str, Any]:
    """Return the methods that refuse to assign and delete, and with slots those that pickle and copy need then."""
    names = frozenset(each.name for each in fields(cls))

    def __setattr__(self: Any, name: str, value: Any) -> None:  # noqa: N807 - a method, made outside its class
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: Any, name: str) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    methods: dict[str, Any] = {"__setattr__": __setattr__, "__delattr__": __delattr__}
    return methods | {"__getstate__": _state, "__setstate__": _restore} if slots else methods


def _state(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for each, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)
