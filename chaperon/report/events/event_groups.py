"""Events of a run, with equal ones collapsed to one line: a disturbed generator has the same event many times."""

from __future__ import annotations

from collections.abc import Iterable

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.quantity import count_text
from chaperon.measure.window import RunEvent
from chaperon.report.format import time_text

CHANGE = "change"
"""The kind of a change of the load. Each is of its own: in which order they came is what they say."""


@lazy_dataclass(frozen=True, slots=True)
class EventGroup:
    """Events of one *kind* with one *text*: the moments of the *first* and the *last* one, in seconds of the run.

    *workers* are those that they come from, by name. *longest* is the greatest duration in seconds, 0 without one.
    """

    kind: str
    text: str
    workers: tuple[str, ...]
    count: int
    first: float
    last: float
    longest: float


def event_groups(events: Iterable[tuple[str, RunEvent]]) -> list[EventGroup]:
    """Return the groups of (worker, event) pairs, in the order of their first events; changes of the load singly."""
    found: dict[tuple[str, str, int], EventGroup] = {}
    for number, (worker, event) in enumerate(events):
        of = (event.kind, event.text, number if event.kind == CHANGE else 0)
        known = found.get(of)
        workers = (worker,) if worker else ()
        if known is None:
            found[of] = EventGroup(event.kind, event.text, workers, 1, event.at, event.at, event.took)
            continue
        found[of] = EventGroup(
            event.kind,
            event.text,
            (*known.workers, *[each for each in workers if each not in known.workers]),
            known.count + 1,
            min(known.first, event.at),
            max(known.last, event.at),
            max(known.longest, event.took),
        )
    return sorted(found.values(), key=lambda group: group.first)


def event_line(group: EventGroup, workers: int) -> str:
    """Return a group as one line, for a run with *workers* of them: "at 3.0 s: paused" or "43 × …, from 1.2 to 9.0 s".

    Texts may hold secrets and line breaks, which the caller removes.
    """
    where = ""
    if workers > 1 and group.workers:
        names = group.workers
        where = f" on {names[0]}" if len(names) == 1 else f" on {count_text(len(names), 'worker')}"
    if group.count == 1:
        took = f" for {time_text(group.longest)}" if group.longest else ""
        return f"at {group.first:.1f} s: {group.text}{took}{where}"
    longest = f", the longest {time_text(group.longest)}" if group.longest else ""
    return f"{group.count:,} × {group.text}{where}, from {group.first:.1f} to {group.last:.1f} s{longest}"
