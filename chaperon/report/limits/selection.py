"""The series a limit covers: interpretations of the text in its brackets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import NamedTuple

from chaperon.measure.sample import Key

KINDS = {"checks": "check", "tasks": "task", "steps": "step", "calls": "call", "visits": "visit"}
"""Names for all series of one kind."""
REQUESTS = "requests"
"""The name for all requests."""

_TAG = re.compile(r"\s*([^\s=,{}]+)\s*=\s*([^,{}]*?)\s*(?:,|$)")
_QUOTED = re.compile(r'\s*"(?:[^"\\]|\\.)*"')


class Selection(NamedTuple):
    """One interpretation of the text in a limit's brackets.

    *series* None means all requests, or all series of a *kind*. *scenario* None means the sum over
    scenarios, *error* None all error classes. *tags* are sorted (name, value) pairs.
    """

    series: str | None = None
    scenario: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    error: str | None = None
    kind: str | None = None

    def covers(self, key: Key) -> bool:
        """Return whether a series is selected; its phase does not matter."""
        if self.scenario is not None and key.scenario != self.scenario:
            return False
        if self.tags and not set(self.tags) <= set(key.tags):
            return False
        if self.kind is not None:
            return key.kind == self.kind
        if self.series is None:
            return key.is_request
        if key.name == self.series:
            return True
        if key.kind == "value" and key.name.startswith(f"{self.series} (") and key.name.endswith(")"):
            return True  # the unit is not part of the name
        return key.kind == "visit" and self.scenario is None and self.series == f"visit {key.scenario}"


ALL = Selection()
"""All requests."""


def readings(inside: str) -> list[Selection]:
    """Return the interpretations of the text in brackets, the most literal first; empty if it names no series.

    ": " separates an error class, " in " a scenario, braces enclose tags; but a name may contain any
    of these as well. The first interpretation separates nothing, the last one everything possible.
    A name in double quotes, escaped as in JSON, has only one interpretation.
    """
    quoted = _QUOTED.match(inside)
    if quoted is not None:
        try:
            name = json.loads(quoted.group().strip())
        except ValueError:
            name = None
        rest = inside[quoted.end() :]
        if isinstance(name, str) and name:
            for tail, error in _split_error(rest):
                for before, tags in _split_tags(tail):
                    if not before.strip():
                        return [Selection(name, None, tags, error)]
                    if before.strip().startswith("in ") and before.strip()[3:].strip():
                        return [Selection(name, before.strip()[3:].strip(), tags, error)]
    found: list[Selection] = []
    for text, error in _split_error(inside):
        for name, tags in _split_tags(text):
            for series, scenario in _split_scenario(name):
                if series.strip() or tags:
                    found.append(Selection(series.strip() or None, scenario, tags, error))
    found.sort(key=lambda each: (each.error is not None) + bool(each.tags) + (each.scenario is not None))
    groups = [each for one in found if (each := _group(one)) is not None]
    return list(dict.fromkeys([*found, *groups]))


def similar_names(selection: Selection, keys: Iterable[Key]) -> str:
    """Return a note that names existing series similar to a selection without data; "" without any."""
    names = sorted({key.name for key in keys})
    if selection.series is None or not names:
        return ""
    close = get_close_matches(selection.series, names, 3, 0.5)
    if close:
        return f"no series has this name; similar names: {', '.join(close)}"
    return f"no series has this name; there are {', '.join(names[:5])}{' …' if len(names) > 5 else ''}"


def _group(one: Selection) -> Selection | None:
    """Return the selection of all series of a kind if its name is one of `KINDS` or `REQUESTS`, else None."""
    if one.series == REQUESTS:
        return one._replace(series=None)
    if one.series in KINDS:
        return one._replace(series=None, kind=KINDS[one.series])
    return None


def _split_error(text: str) -> Iterator[tuple[str, str | None]]:
    yield text, None
    mark = " : " if " : " in text else ": "
    before, found, after = text.rpartition(mark)
    if found and after.strip():
        yield before, after.strip()


def _split_tags(text: str) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """Split "GET / {kind=search}" into the series and its tags; other braces belong to the name."""
    yield text, ()
    before, brace, inside = text.rstrip().rpartition("{")
    if not brace or not inside.endswith("}"):
        return
    body, at, tags = inside[:-1], 0, []
    while at < len(body):
        found = _TAG.match(body, at)
        if found is None:
            return  # such as GET /users/{id}
        tags.append((found.group(1), found.group(2)))
        at = found.end()
    if tags:
        yield before.rstrip(), tuple(sorted(tags))


def _split_scenario(text: str) -> Iterator[tuple[str, str | None]]:
    yield text, None
    series, found, scenario = text.rpartition(" in ")
    if found and scenario.strip():
        yield series, scenario.strip()
