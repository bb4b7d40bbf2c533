"""Plain values as msgpack and back, every field checked."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from operator import attrgetter
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgpack

from chaperon.errors import ChaperonError
from chaperon.measure.plain_text import encodable

LARGEST = 4 << 20
"""Bytes a message may have."""

Check = Callable[[Any], Any]


class WireError(ChaperonError):
    """Bytes that are none of our messages."""


def pack(value: Any) -> bytes:
    """Return plain values as bytes, and dataclasses as the list of their fields. Raises WireError for anything else."""
    try:
        return bytes(msgpack.packb(value, use_bin_type=True, unicode_errors="surrogatepass", default=_spread))
    except (TypeError, ValueError, OverflowError) as exc:
        raise WireError(f"only plain values travel: {exc}") from exc


def unpack(data: bytes) -> Any:
    """Return the plain values in *data*, lists as tuples. Raises WireError.

    A lone surrogate passes, for the config of a setup may hold one; where a field is text
    that is reported, its reader escapes it.
    """
    if len(data) > LARGEST:
        raise WireError(f"{len(data):,} bytes are more than a message has")
    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=False, use_list=False, unicode_errors="surrogatepass")
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as exc:
        raise WireError(f"not msgpack: {data[:40]!r}") from exc


def _spread(value: Any) -> Any:
    kind = type(value)
    taken = _FIELDS.get(kind)
    if taken is None:
        names = [f.name for f in fields(kind)]  # TypeError: it is no dataclass
        taken = _FIELDS[kind] = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)
    return taken(value)


_FIELDS: dict[type, Callable[[Any], Any]] = {}


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise WireError(f"{value!r} is not a whole number")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise WireError(f"{value!r} is not a finite number")
    return float(value)


def _encodable(value: str) -> str:
    return value if value.isascii() else encodable(value, LARGEST)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise WireError(f"{value!r:.60} is not str")
    return _encodable(value)


def _exactly(kind: type) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise WireError(f"{value!r:.60} is not {kind.__name__}")
        return value

    return check


def reader(hint: Any) -> Check:
    """Return what reads a value of the type *hint*, or raises WireError."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value: value
    if hint is int:
        return _whole
    if hint is float:
        return _number
    if hint is str:
        return _text
    if hint in (bytes, bool):
        return _exactly(hint)
    if hint is types.NoneType:
        return _exactly(types.NoneType)
    if origin is Literal:
        return _among(inner)
    if origin is tuple:
        return _many(reader(inner[0])) if inner[1:] == (...,) else _each([reader(i) for i in inner])
    if origin is dict:
        return _mapping(reader(inner[0]), reader(inner[1]))
    if origin in (Union, types.UnionType):
        return _either([reader(i) for i in inner])
    if is_dataclass(hint) and isinstance(hint, type):
        hints = get_type_hints(hint)
        theirs = [hints[f.name] for f in fields(hint)]
        if all(one in (str, bytes, bool, int) for one in theirs):
            return _made_of(hint, tuple(theirs))
        return _made(hint, _each([reader(one) for one in theirs]))
    raise TypeError(f"no way to read {hint!r}")


def _among(allowed: tuple[Any, ...]) -> Check:
    def check(value: Any) -> Any:
        if not isinstance(value, (str, int)) or value not in allowed:
            raise WireError(f"{value!r:.60} is none of {allowed}")
        return value

    return check


def _many(one: Check) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not tuple:
            raise WireError(f"{value!r:.60} is not a list")
        return tuple(map(one, value))

    return check


def _each(ones: list[Check]) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not tuple or len(value) != len(ones):
            raise WireError(f"{value!r:.60} is not a list of {len(ones)}")
        return tuple(one(item) for one, item in zip(ones, value, strict=True))

    return check


def _mapping(key: Check, item: Check) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not dict:
            raise WireError(f"{value!r:.60} is not a mapping")
        return {key(k): item(v) for k, v in value.items()}

    return check


def _either(ones: list[Check]) -> Check:
    def check(value: Any) -> Any:
        for one in ones:
            try:
                return one(value)
            except WireError:
                continue
        raise WireError(f"{value!r:.60} is of no type that may stand here")

    return check


def _made(kind: type, values: Check) -> Check:
    def check(value: Any) -> Any:
        return kind(*values(value))

    return check


def _made_of(kind: type, types: tuple[type, ...]) -> Check:
    """As `_made`, and faster: where it is enough that every value is of its type."""
    texts = str in types

    def check(value: Any) -> Any:
        if type(value) is not tuple or tuple(map(type, value)) != types:
            raise WireError(f"{value!r:.60} is no {kind.__name__}")
        return kind(*[_encodable(each) if type(each) is str else each for each in value] if texts else value)

    return check
