"""A lazy dataclass behaves as `dataclasses.dataclass` makes one."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import KW_ONLY, FrozenInstanceError, asdict, dataclass, field, fields, replace
from types import FunctionType
from typing import Any, get_type_hints

import pytest

from chaperon.lazy_dataclass import lazy_dataclass

OPTIONS = [
    {"frozen": frozen, "slots": slots, "repr": shown, "kw_only": kw_only}
    for frozen in (False, True)
    for slots in (False, True)
    for shown in (False, True)
    for kw_only in (False, True)
]
MAKERS = (dataclass, lazy_dataclass)


def plain(make: Any, **options: Any) -> Any:
    @make(**options)
    class Thing:
        """A thing."""

        first: int
        second: str = "two"
        third: list[int] = field(default_factory=list)
        hidden: int = field(default=4, repr=False, compare=False)
        hashed: int = field(default=5, hash=False)
        counted: int = field(default=6, init=False)
        made: list[int] = field(default_factory=lambda: [7], init=False, hash=False)

    return Thing


def keyworded(make: Any, **options: Any) -> Any:
    @make(**options)
    class Thing:
        """It has fields that are given by name."""

        first: int
        _: KW_ONLY
        second: int
        third: int = 3

    return Thing


def checked(make: Any, **options: Any) -> Any:
    @make(**options)
    class Thing:
        """It checks its values."""

        first: int
        second: int = 2

        def __post_init__(self) -> None:
            if self.first < 0:
                raise ValueError(f"first is {self.first}")

        def __repr__(self) -> str:
            return "a thing"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self))

    return Thing


def derived(make: Any, **options: Any) -> Any:
    @make(**options)
    class Base:
        """It has the first two fields."""

        first: int
        second: int = 2

    @make(**options)
    class Thing(Base):
        """It gives one another default and adds one."""

        second: int = 22
        third: int = 3

    return Thing


def single(make: Any, **options: Any) -> Any:
    @make(**options)
    class Thing:
        """It has one field."""

        first: int

    return Thing


def empty(make: Any, **options: Any) -> Any:
    @make(**options)
    class Thing:
        """It has no fields."""

    return Thing


CLASSES = [plain, keyworded, checked, derived, single, empty]
CALLS = [
    ((), {}),
    ((1,), {}),
    ((1, 2), {}),
    ((1, 2, 3), {}),
    ((-1,), {}),
    ((), {"first": 1}),
    ((1,), {"second": 9}),
    ((), {"first": 1, "second": 9, "third": 8}),
    ((1,), {"first": 1}),
    ((1,), {"fourth": 1}),
    ((1, 2, 3, 4, 5, 6, 7, 8), {}),
]


def outcome(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what a call returns, or what it raises."""
    try:
        return function(*args, **kwargs)
    except Exception as exc:
        return type(exc), str(exc)


def seen(cls: Any, args: Any, kwargs: Any) -> list[Any]:
    """Return what a program can see of an instance."""
    made = outcome(cls, *args, **kwargs)
    if isinstance(made, tuple):
        return [made]
    again = outcome(cls, *args, **kwargs)
    return [
        asdict(made),
        outcome(lambda: asdict(copy.copy(made))),
        outcome(lambda: asdict(replace(made, first=11))),
        repr(made).partition(" object at ")[0],
        (made == again, made != again, made == "another"),
        outcome(lambda: hash(made) == hash(again)),
        [outcome(setattr, made, each.name, 5) for each in fields(cls)],
        isinstance(outcome(setattr, made, "unknown", 5), tuple),  # beside slots, dataclass raises a TypeError of super
        [outcome(delattr, made, each.name) for each in fields(cls)],
    ]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", CLASSES)
def test_instances_are_those_of_dataclass(kind, options):
    usual, lazy = (kind(make, **options) for make in MAKERS)

    for args, kwargs in CALLS:
        assert seen(lazy, args, kwargs) == seen(usual, args, kwargs), (args, kwargs)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", CLASSES)
def test_the_class_describes_itself_as_that_of_dataclass(kind, options):
    usual, lazy = (kind(make, **options) for make in MAKERS)

    assert str(inspect.signature(lazy)) == str(inspect.signature(usual))
    assert get_type_hints(lazy.__init__) == get_type_hints(usual.__init__)
    assert lazy.__init__.__qualname__ == usual.__init__.__qualname__
    assert lazy.__match_args__ == usual.__match_args__
    assert lazy.__doc__ == usual.__doc__
    assert [(each.name, each.type) for each in fields(lazy)] == [(each.name, each.type) for each in fields(usual)]
    assert lazy.__dict__.get("__slots__") == usual.__dict__.get("__slots__")


@lazy_dataclass(frozen=True, slots=True)
class Kept:
    """Pickled by its name."""

    first: int
    second: tuple[int, ...] = ()


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_frozen_one_with_slots_is_pickled(protocol):
    assert pickle.loads(pickle.dumps(Kept(1, (2, 3)), protocol)) == Kept(1, (2, 3))


def test_init_is_compiled_when_it_is_first_used():
    thing = plain(lazy_dataclass)
    before = type(vars(thing)["__init__"])

    thing(1)

    assert before is not FunctionType
    assert type(vars(thing)["__init__"]) is FunctionType


def test_a_class_derived_in_the_usual_way_may_call_and_replace_init():
    @lazy_dataclass(frozen=True)
    class Base:
        """It has one field."""

        first: int

    class Thing(Base):
        def __init__(self, first: int, more: int) -> None:
            super().__init__(first)
            self.more = more

    made = Thing(1, 2)

    assert (made.first, made.more) == (1, 2)
    with pytest.raises(FrozenInstanceError):
        made.first = 3
    assert Base(1) == Base(1) != made


def test_one_that_holds_itself_is_shown():
    @lazy_dataclass
    class Thing:
        """It may hold itself."""

        inner: Any = None

    made = Thing()
    made.inner = made

    assert repr(made).endswith("Thing(inner=...)")
