"""A lazy tuple behaves as one of `typing.NamedTuple`."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any, NamedTuple, get_type_hints

import pytest

from chaperon.lazy_dataclass import LazyTuple


class Place(LazyTuple):
    """It has a default and a property."""

    file: str
    line: int = 1

    @property
    def text(self) -> str:
        return f"{self.file}:{self.line}"


class Usual:
    class Place(NamedTuple):
        """As above."""

        file: str
        line: int = 1

        @property
        def text(self) -> str:
            return f"{self.file}:{self.line}"


USES = [
    lambda made: made("a", 2),
    lambda made: made(line=2, file="a"),
    lambda made: (made("a").text, made("a")[1], made("a").line, *made("a")),
    lambda made: repr(made("a", line=3)),
    lambda made: made("a") == ("a", 1) and hash(made("a")) == hash(("a", 1)),
    lambda made: made("a")._replace(line=9),
    lambda made: made("a")._asdict(),
    lambda made: made._make(["a", 5]),
    lambda made: (made._fields, made._field_defaults, made.__match_args__, made.__slots__, made.__name__),
    lambda made: copy.deepcopy(made("a")),
    lambda made: list(inspect.signature(made).parameters),
    lambda made: get_type_hints(made),
    lambda made: made(),
    lambda made: made("a", 1, 2),
    lambda made: made("a", other=1),
    lambda made: made("a")._replace(other=1),
    lambda made: made._make(["a"]),
    lambda made: setattr(made("a"), "file", "b"),
    lambda made: setattr(made("a"), "other", "b"),
]


def outcome(use: Any, made: type) -> Any:
    """Return what *use* returns, or the class of what it raises."""
    try:
        return use(made)
    except Exception as exc:
        return type(exc)


@pytest.mark.parametrize("use", USES)
def test_a_lazy_tuple_behaves_as_a_usual_one(use):
    assert outcome(use, Place) == outcome(use, Usual.Place)


def test_it_is_pickled():
    made = pickle.loads(pickle.dumps(Place("a")))

    assert (made, type(made)) == (("a", 1), Place)


def test_a_field_without_a_default_after_one_with_it_is_refused():
    with pytest.raises(TypeError, match="without a default"):

        class Wrong(LazyTuple):
            first: int = 1
            second: int
