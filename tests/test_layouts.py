"""What is sent and kept has the layout that its number stands for: another layout needs another number.

A master and a worker of two versions refuse each other by `PROTOCOL`, a run file is refused by its schema. Layouts
are written down by `python tests/test_layouts.py`, which refuses a layout that has changed under the same number.
"""

import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

from chaperon.cluster.protocol import messages
from chaperon.cluster.protocol.codec import PROTOCOL
from chaperon.measure.encoding import window_codec
from chaperon.report.run_file import records

WRITTEN = Path(__file__).with_name("layouts.txt")


def text_of(hint, found):
    """Return a type as text; the dataclasses and named tuples in it are added to *found*."""
    if is_dataclass(hint) or hasattr(hint, "_fields"):
        if hint not in found:
            found.append(hint)
        return hint.__name__
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return f"signed {text_of(inner[0], found)}"
    if origin is Literal:
        return " | ".join(map(repr, inner))
    if origin in (Union, UnionType):
        return " | ".join(text_of(each, found) for each in inner)
    if inner:
        return f"{origin.__name__}[{', '.join('...' if each is ... else text_of(each, found) for each in inner)}]"
    return getattr(hint, "__name__", str(hint))


def layout(kinds, *hints):
    """Return a line for each of *kinds*, for the types of their fields that have fields, and for *hints*."""
    found = list(kinds)
    lines = [text_of(hint, found) for hint in hints]
    for kind in found:  # grows meanwhile
        hints = get_type_hints(kind, include_extras=True)
        names = [each.name for each in fields(kind)] if is_dataclass(kind) else kind._fields
        lines.append(f"{kind.__name__}({', '.join(f'{name}: {text_of(hints[name], found)}' for name in names)})")
    return lines


def layouts():
    """Return the lines of each layout, by the number it is recognised by."""
    return {
        f"protocol {PROTOCOL}": layout(messages.KINDS, window_codec._Packed),
        records.SCHEMA: layout(records.KINDS, window_codec._Packed),
    }


def written():
    """Return the layouts that are written down."""
    found = {}
    for line in WRITTEN.read_text().splitlines():
        if line.startswith("# "):
            kept = found[line.removeprefix("# ")] = []
        elif line:
            kept.append(line)
    return found


def test_a_layout_that_has_changed_has_a_new_number():
    assert written() == layouts(), "raise PROTOCOL or SCHEMA, then: python tests/test_layouts.py"


if __name__ == "__main__":
    before, now = written() if WRITTEN.exists() else {}, layouts()
    changed = [number for number, lines in now.items() if before.get(number, lines) != lines]
    if changed:
        sys.exit(f"the layout has changed, the number has not: {', '.join(changed)}")
    WRITTEN.write_text("".join(f"# {number}\n" + "\n".join(lines) + "\n\n" for number, lines in now.items()))
