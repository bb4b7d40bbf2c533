"""Which series a limit is about: the readings of the text in its brackets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import NamedTuple

from chaperon.measure.sample import Key

KINDS = {"checks": "check", "tasks": "task", "steps": "step", "calls": "call", "visits": "visit"}
"""Words for all series of one kind; "requests" stands for all traffic."""
REQUESTS = "requests"

_TAG = re.compile(r"\s*([^\s=,{}]+)\s*=\s*([^,{}]*?)\s*(?:,|$)")
_QUOTED = re.compile(r'\s*"(?:[^"\\]|\\.)*"')


class Selection(NamedTuple):
    """One reading of the text in a limit's brackets.

    *series* None means all requests, or all series of a *kind*; *scenario* None the sum over scenarios, *error* None
    every class of error; *tags* are sorted (name, value) pairs.
    """

    series: str | None = None
    scenario: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    error: str | None = None
    kind: str | None = None

    def covers(self, key: Key) -> bool:
        """Return whether a series is one of those selected, in any phase."""
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
            return True  # the unit is no part of the name
        return key.kind == "visit" and self.scenario is None and self.series == f"visit {key.scenario}"


ALL = Selection()
"""All requests."""


def readings(inside: str) -> list[Selection]:
    """Return what the text in brackets may mean, the most literal first; empty where it names nothing.

    A name may hold what also separates: ": " stands before a class of error, " in " before a scenario, braces around
    tags. A name in double quotes, escaped as in JSON, is taken as it is. The last reading separates all it can.
    """
    quoted = _QUOTED.match(inside)
    if quoted is not None:
        try:
            name = json.loads(quoted.group().strip())
        except ValueError:
            name = None
        rest = inside[quoted.end() :]
        if isinstance(name, str) and name:
            for tail, error in _parted_error(rest):
                for before, tags in _parted_tags(tail):
                    if not before.strip():
                        return [Selection(name, None, tags, error)]
                    if before.strip().startswith("in ") and before.strip()[3:].strip():
                        return [Selection(name, before.strip()[3:].strip(), tags, error)]
    found: list[Selection] = []
    for text, error in _parted_error(inside):
        for name, tags in _parted_tags(text):
            for series, scenario in _parted_scenario(name):
                if series.strip() or tags:
                    found.append(Selection(series.strip() or None, scenario, tags, error))
    found.sort(key=lambda each: (each.error is not None) + bool(each.tags) + (each.scenario is not None))
    groups = [each for one in found if (each := _group(one)) is not None]
    return list(dict.fromkeys([*found, *groups]))


def near(selection: Selection, keys: Iterable[Key]) -> str:
    """Return which names there are that a selection without data may have meant, as a note; "" without any."""
    names = sorted({key.name for key in keys})
    if selection.series is None or not names:
        return ""
    close = get_close_matches(selection.series, names, 3, 0.5)
    if close:
        return f"no series is named so; near it: {', '.join(close)}"
    return f"no series is named so; there are {', '.join(names[:5])}{' …' if len(names) > 5 else ''}"


def _group(one: Selection) -> Selection | None:
    """Return the selection of a kind of series, where a word for one stands in place of a name."""
    if one.series == REQUESTS:
        return one._replace(series=None)
    if one.series in KINDS:
        return one._replace(series=None, kind=KINDS[one.series])
    return None


def _parted_error(text: str) -> Iterator[tuple[str, str | None]]:
    yield text, None
    mark = " : " if " : " in text else ": "
    before, found, after = text.rpartition(mark)
    if found and after.strip():
        yield before, after.strip()


def _parted_tags(text: str) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
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


def _parted_scenario(text: str) -> Iterator[tuple[str, str | None]]:
    yield text, None
    series, found, scenario = text.rpartition(" in ")
    if found and scenario.strip():
        yield series, scenario.strip()
