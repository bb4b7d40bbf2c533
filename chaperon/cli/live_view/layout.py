"""The layout of the live view: which blocks there is room for, and how many lines each of them gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text

from chaperon.cli.live_view import blocks
from chaperon.cli.live_view.view_state import ViewState
from chaperon.lazy_dataclass import lazy_dataclass

HIGHEST, WIDEST = 23, 119
"""Lines and columns that the view uses at most, however large the terminal is."""
BUSIEST = 6
"""Series that are shown."""
ERRORS, HELP = "errors", "help"
"""The pages beside the usual one."""


@lazy_dataclass(frozen=True, slots=True)
class Block:
    """A block of lines. *render* returns as many lines as it is given; *sizes* are the numbers it can fill."""

    render: Callable[[int], Sequence[Text]]
    sizes: Sequence[int]


def view_lines(state: ViewState, width: int, height: int) -> list[Text]:
    """Return the view as at most *height* lines of at most *width* columns."""
    width, height = min(width, WIDEST), min(height, HIGHEST)
    if height < 1 or width < 1:
        return []
    found = _blocks(state, width)
    order = (*_PAGES[state.page], "keys")
    given = _allotted(found, order, height)
    lines = [line for name in _ON_SCREEN if name in given for line in found[name].render(given[name])]
    for line in lines:
        line.truncate(width)
    return lines


_ON_SCREEN = ("head", "why", "help", "plan", "rates", "times", "series", "errors", "limits", "generator", "workers",
              "events", "notices", "keys")  # fmt: skip
_PAGES = {
    # in the order in which blocks get their first lines
    "": ("head", "why", "rates", "times", "errors", "limits", "generator", "notices", "series", "workers", "events",
         "plan"),
    ERRORS: ("head", "why", "rates", "errors"),
    HELP: ("head", "why", "help", "rates", "notices"),
}  # fmt: skip
_GROWING = ("times", "rates", "why", "help", "limits", "errors", "workers", "series", "events", "notices")
"""The order in which blocks get further lines."""
_SHARES: tuple[dict[str, int], ...] = (
    {"why": 2, "limits": 2, "errors": 2, "series": 4, "workers": 4, "events": 1, "notices": 2},
    {"why": 3, "limits": 3, "errors": 3, "series": BUSIEST + 1, "events": 2},
    {},
)
"""Lines that these blocks get at most before all others have theirs: first, then, in the end."""


def _allotted(found: dict[str, Block], order: Sequence[str], height: int) -> dict[str, int]:
    """Return how many lines each block gets: none, or one of its sizes."""
    given: dict[str, int] = {}
    room = height
    for name in ("keys", *order):
        sizes = [size for size in found[name].sizes if size]
        if name not in given and sizes and sizes[0] <= room:
            given[name] = sizes[0]
            room -= sizes[0]
    for most in _SHARES:
        for name in [name for name in _GROWING if name in given]:
            bound = min(given[name] + room, most.get(name, height))
            best = max((size for size in found[name].sizes if given[name] <= size <= bound), default=given[name])
            room -= best - given[name]
            given[name] = best
    return given


def _blocks(state: ViewState, width: int) -> dict[str, Block]:
    head = [blocks.head(state, width)]
    why, plan, notices = blocks.why(state, width), [blocks.plan(state, width)], blocks.notices(state, width)
    generator, keys, help_ = [blocks.generator(state, width)], blocks.keys(state, width), blocks.help_lines(width)
    busiest = min(len(state.series), BUSIEST)
    several = len(state.workers) if len(state.workers) > 1 else 0
    return {
        "head": _fixed(head),
        "why": _list(why),
        "plan": _fixed(plan),
        "rates": Block(lambda rows: blocks.rates(state, width, short=rows < 2), (1, 2)),
        "times": Block(lambda rows: blocks.percentiles(state, width, short=rows < 3), (1, 3)),
        "series": Block(lambda rows: blocks.series(state, width, rows), range(2, busiest + 2) if busiest else ()),
        "errors": Block(lambda rows: blocks.errors(state.errors, width, rows), range(1, len(state.errors) + 1)),
        "limits": Block(lambda rows: blocks.limits(state, width, rows), range(1, len(state.pulse.limits) + 1)),
        "generator": _fixed(generator),
        "workers": Block(
            lambda rows: blocks.workers(state.workers, width, rows), range(2, several + 2) if several else ()
        ),
        "events": Block(
            lambda rows: blocks.events(state.events, len(state.workers), width, rows), range(1, len(state.events) + 1)
        ),
        "notices": _list(notices),
        "keys": _fixed(keys),
        "help": _list(help_),
    }


def _fixed(lines: Sequence[Text]) -> Block:
    return Block(lambda rows: lines[:rows], (len(lines),))


def _list(lines: Sequence[Text]) -> Block:
    return Block(lambda rows: lines[:rows], range(1, len(lines) + 1))
