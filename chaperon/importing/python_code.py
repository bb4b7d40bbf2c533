"""Python source text of values and calls, laid out as `ruff format` and Black do it."""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chaperon.lazy_dataclass import lazy_dataclass

WIDTH = 88
"""Characters of a line beyond which a call is written on several: the default of ruff and Black."""


@lazy_dataclass(frozen=True)
class Code:
    """An expression that stands in the module as it is."""

    text: str


@lazy_dataclass(frozen=True)
class Template:
    """Text with expressions in it, which becomes an f-string."""

    parts: tuple[str | Code, ...]


@lazy_dataclass(frozen=True)
class Bracketed:
    """A call, a list or a mapping: what can be written on one line or with one argument a line."""

    start: str
    arguments: tuple[tuple[str, Any], ...]
    end: str


def call(function: str, *positional: Any, **named: Any) -> Bracketed:
    """Return the call of *function*; arguments are values, or `Code`, `Template`, `Bracketed`."""
    given = [("", each) for each in positional] + [(f"{name}=", value) for name, value in named.items()]
    return Bracketed(f"{function}(", tuple(given), ")")


def lines(value: Any, *, indent: int = 0, before: str = "", after: str = "") -> str:
    """Return ``before + value + after`` as source text, indented by *indent* spaces, on one line if it fits."""
    start = " " * indent + before
    return start + _rendered(value, indent, len(start), len(after)) + after


def flat(value: Any) -> str:
    """Return the source text of a value on one line."""
    if isinstance(value, Code):
        return value.text
    if isinstance(value, Template):
        return _template(value)
    if isinstance(value, str):
        return text_literal(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    group = _group(value)
    if group is None:
        return repr(value)
    inside = ", ".join(prefix + flat(each) for prefix, each in group.arguments)
    comma = "," if group.start == "(" and len(group.arguments) == 1 else ""
    return f"{group.start}{inside}{comma}{group.end}"


def text_literal(text: str) -> str:
    """Return *text* as a literal in double quotes, or in single ones if that needs fewer escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + _escaped(text, quote) + quote


def identifier(text: str, taken: Iterable[str] = (), default: str = "step") -> str:
    """Return a name in snake_case made of the words of *text* that is none of *taken* and no keyword."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain)
    name = re.sub(r"[^0-9a-zA-Z]+", "_", plain).strip("_").lower()[:48].rstrip("_") or default
    if name[0].isdigit():
        name = f"{default}_{name}"
    known = set(taken)
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        name = f"{name}_"
    found, n = name, 1
    while found in known:
        n += 1
        found = f"{name.rstrip('_')}_{n}"
    return found


def comment_text(text: str) -> str:
    """Return *text* on one line of printable characters, for a comment or a docstring."""
    clean = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(clean.replace("\\", "/").replace('"""', "'''").split())


def _rendered(value: Any, indent: int, column: int, after: int) -> str:
    text = flat(value)
    group = _group(value)
    if group is None or not group.arguments or column + len(text) + after <= WIDTH:
        return text
    inner = indent + 4
    pad = " " * inner
    body = "".join(
        f"{pad}{prefix}{_rendered(each, inner, inner + len(prefix), 1)},\n" for prefix, each in group.arguments
    )
    return f"{group.start}\n{body}{' ' * indent}{group.end}"


def _group(value: Any) -> Bracketed | None:
    """Return a value that has parts as a `Bracketed`, None for any other."""
    if isinstance(value, Bracketed):
        return value
    if isinstance(value, Mapping):
        return Bracketed("{", tuple((f"{flat(key)}: ", each) for key, each in value.items()), "}")
    if isinstance(value, tuple):
        return Bracketed("(", tuple(("", each) for each in value), ")")
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return Bracketed("[", tuple(("", each) for each in value), "]")
    return None


def _template(template: Template) -> str:
    plain = "".join(part for part in template.parts if isinstance(part, str))
    codes = [part.text for part in template.parts if isinstance(part, Code)]
    quote = "'" if plain.count('"') > plain.count("'") else '"'
    if any(quote in code for code in codes):  # Python 3.10 cannot nest a quote in an f-string of the same
        codes = [code.replace('"', "'") for code in codes]
        quote = '"'
    ready = iter(codes)
    text = "".join(
        f"{{{next(ready)}}}" if isinstance(part, Code) else _escaped(part, quote).replace("{", "{{").replace("}", "}}")
        for part in template.parts
    )
    return f"f{quote}{text}{quote}"


def _escaped(text: str, quote: str) -> str:
    made = []
    for each in text:
        if each in ("\\", quote):
            made.append(f"\\{each}")
        elif each.isprintable():
            made.append(each)
        else:
            made.append(repr(each)[1:-1])
    return "".join(made)
