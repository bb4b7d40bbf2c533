"""Encoding of plain values and dataclasses as msgpack, and decoding with a check of every field's type and range."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import partial
from operator import attrgetter
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgpack

from chaperon.errors import WireError
from chaperon.measure.plain_text import encodable, excerpt
from chaperon.signed import SIGNED

LARGEST = 4 << 20
"""Maximum size of a message, in bytes."""
MOST_COUNT = 1 << 53
"""Greatest whole number of a field, up to which a float is exact, too; a sum of a thousand of them fits in 64 bits."""
MOST_NUMBER = float(1 << 63)
"""Greatest number of a field that is not whole."""
MOST_SIGNED = (1 << 64) - 1
"""Greatest size of a whole number that may be negative."""
DEEPEST = 100
"""How deep the lists and mappings of a field of type `Any` may be nested."""

Check = Callable[[Any], Any]


def pack(value: Any) -> bytes:
    """Return a value as msgpack; dataclasses become the list of their fields. Raises WireError for other objects."""
    try:
        return bytes(msgpack.packb(value, use_bin_type=True, unicode_errors="surrogatepass", default=_field_values))
    except (TypeError, ValueError, OverflowError) as exc:
        raise WireError(f"only plain values and dataclasses can be sent: {exc}") from exc


def unpack(data: bytes) -> Any:
    """Return the value in *data*, with lists as tuples. Raises WireError if *data* is too long or not msgpack.

    Lone surrogates are accepted, since the config of a setup may contain one. The reader of a
    field of type `str` escapes them.
    """
    if len(data) > LARGEST:
        raise WireError(f"a message of {len(data):,} bytes exceeds the limit of {LARGEST:,}")
    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=False, use_list=False, unicode_errors="surrogatepass")
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as exc:
        raise WireError(f"not msgpack: {data[:40]!r}") from exc


def _field_values(value: Any) -> Any:
    kind = type(value)
    getter = _FIELDS.get(kind)
    if getter is None:
        names = [f.name for f in fields(kind)]  # TypeError if it is not a dataclass
        getter = _FIELDS[kind] = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)
    return getter(value)


_FIELDS: dict[type, Callable[[Any], Any]] = {}


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MOST_COUNT:
        raise WireError(f"{excerpt(value)} is not a whole number from 0 to {MOST_COUNT:,}")
    return value


def _signed_whole(value: Any) -> int:
    if type(value) is not int or not -MOST_SIGNED <= value <= MOST_SIGNED:
        raise WireError(f"{excerpt(value)} is not a whole number of 64 bits")
    return value


def _whole_numbers(value: Any) -> Any:
    """As `_list_of(_whole)`, but faster."""
    if type(value) is not tuple:
        raise WireError(f"{excerpt(value)} is not a list")
    most = MOST_COUNT
    for each in value:
        if type(each) is not int:
            _whole(each)
        number: int = each  # mypyc: compared as a machine word
        if number < 0 or number > most:
            _whole(number)
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value <= MOST_NUMBER:
        raise WireError(f"{excerpt(value)} is not a number from 0 to {MOST_NUMBER:.0e}")
    return float(value)


def _signed_number(value: Any) -> float:
    if type(value) not in (int, float) or not -MOST_NUMBER <= value <= MOST_NUMBER:
        raise WireError(f"{excerpt(value)} is not a finite number")
    return float(value)


def plain(value: Any, deep: int = 0) -> Any:
    """Return *value* if it is one that a field of type `Any` may have, else raise WireError."""
    kind = type(value)
    if kind is tuple or kind is dict:
        if deep == DEEPEST:
            raise WireError(f"a value is nested more than {DEEPEST} deep")
        for each in value:
            plain(each, deep + 1)
        for each in value.values() if kind is dict else ():
            plain(each, deep + 1)
    elif kind is float:
        if not math.isfinite(value):
            raise WireError(f"{value!r} is not a finite number")
    elif kind not in (str, int, bool, bytes, types.NoneType):
        raise WireError(f"{excerpt(value)} is not a plain value")
    return value


def _unchecked(value: Any) -> Any:
    return value


def _encodable(value: str) -> str:
    return value if value.isascii() else encodable(value, LARGEST)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise WireError(f"{excerpt(value)} is not str")
    return _encodable(value)


def _exactly(kind: type) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise WireError(f"{excerpt(value)} is not {kind.__name__}")
        return value

    return check


def reader(hint: Any, *, signed: bool = False) -> Check:
    """Return a function that checks and converts a decoded value to the type *hint*, or raises WireError.

    Numbers are from 0 to `MOST_COUNT` or `MOST_NUMBER`; they may be negative with *signed* and in types marked
    `SIGNED`. A value of type `Any` is plain, with finite numbers; one of type `object` is not checked.
    Raises TypeError if the type is not supported.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return reader(inner[0], signed=signed or SIGNED in inner)
    simple = (_SIGNED if signed else _SIMPLE).get(hint)
    if simple is not None:
        return simple
    if hint in (bytes, bool):
        return _exactly(hint)
    if hint is types.NoneType:
        return _exactly(types.NoneType)
    if origin is Literal:
        return _one_of(inner)
    if origin is tuple:
        if inner == (int, ...) and not signed:
            return _whole_numbers
        if inner[1:] == (...,):
            return _list_of(reader(inner[0], signed=signed))
        return _fields_of([reader(i, signed=signed) for i in inner])
    if origin is dict:
        return _mapping(reader(inner[0], signed=signed), reader(inner[1], signed=signed))
    if origin in (Union, types.UnionType):
        return _union_of([reader(i, signed=signed) for i in inner], optional=types.NoneType in inner)
    if is_dataclass(hint) and isinstance(hint, type):
        typed = get_type_hints(hint, include_extras=True)
        hints: list[Any] = []
        for each in fields(hint):
            hints.append(Annotated[typed[each.name], SIGNED] if SIGNED in each.metadata else typed[each.name])
        if not signed and all(one in _PLAIN for one in hints):
            return _plain_fields_of(hint, tuple(hints))
        return _dataclass_of(hint, _fields_of([reader(one, signed=signed) for one in hints]))
    if not signed and isinstance(hint, type) and issubclass(hint, tuple):  # a NamedTuple
        named = tuple(get_type_hints(hint).values())
        if named and all(one in _PLAIN for one in named):
            return _plain_fields_of(hint, named)
    raise TypeError(f"no reader for the type {hint!r}")


_PLAIN = (str, bytes, bool, int)
_SIMPLE: dict[Any, Check] = {
    Any: plain,
    object: _unchecked,
    str: _text,
    int: _whole,
    float: _number,
}
_SIGNED = {**_SIMPLE, int: _signed_whole, float: _signed_number}


def _one_of(allowed: tuple[Any, ...]) -> Check:
    def check(value: Any) -> Any:
        if not isinstance(value, (str, int)) or value not in allowed:
            raise WireError(f"{excerpt(value)} is none of {allowed}")
        return value

    return check


def _list_of(one: Check) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not tuple:
            raise WireError(f"{excerpt(value)} is not a list")
        return tuple(map(one, value)) if value else value

    return check


def _fields_of(ones: list[Check]) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not tuple or len(value) != len(ones):
            raise WireError(f"{excerpt(value)} is not a list of {len(ones)}")
        return tuple([one(item) for one, item in zip(ones, value, strict=True)])

    return check


def _mapping(key: Check, item: Check) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not dict:
            raise WireError(f"{excerpt(value)} is not a mapping")
        if not value:
            return value
        return {key(k): item(v) for k, v in value.items()}

    return check


def _union_of(ones: list[Check], *, optional: bool) -> Check:
    def check(value: Any) -> Any:
        if optional and value is None:
            return None  # without an error of the readers that are asked first
        for one in ones:
            try:
                return one(value)
            except WireError:
                continue
        raise WireError(f"{excerpt(value)} has none of the types allowed here")

    return check


def _dataclass_of(kind: type, values: Check) -> Check:
    def check(value: Any) -> Any:
        return kind(*values(value))

    return check


def _plain_fields_of(kind: type, types: tuple[type, ...]) -> Check:
    """As `_dataclass_of`, but faster: for dataclasses and named tuples of texts, bytes, truth values, whole numbers."""
    make: Check = partial(tuple.__new__, kind) if issubclass(kind, tuple) else lambda values: kind(*values)
    length = len(types)
    texts = [place for place, each in enumerate(types) if each is str]
    whole = [place for place, each in enumerate(types) if each is int]
    others = [(place, each) for place, each in enumerate(types) if each not in (str, int)]

    def check(value: Any) -> Any:
        if type(value) is not tuple or len(value) != length:
            raise WireError(f"{excerpt(value)} is no {kind.__name__}")
        for place in whole:
            if type(value[place]) is not int:
                raise WireError(f"{excerpt(value)} is no {kind.__name__}")
            number: int = value[place]  # mypyc: compared as a machine word
            if number < 0 or number > MOST_COUNT:
                _whole(number)
        ascii = True
        for place in texts:
            if type(value[place]) is not str:
                raise WireError(f"{excerpt(value)} is no {kind.__name__}")
            text: str = value[place]
            ascii = ascii and text.isascii()
        for place, wanted in others:
            if type(value[place]) is not wanted:
                raise WireError(f"{excerpt(value)} is no {kind.__name__}")
        return make(value if ascii else [_encodable(each) if type(each) is str else each for each in value])

    return check
