"""What a session remembers: values the scenario assigned."""

from __future__ import annotations

from typing import Any


class State(dict[str, Any]):
    """A dict whose entries can be read as attributes too: `session.assigned.token`."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            known = ", ".join(sorted(self)) or "nothing"
            raise AttributeError(f"{name!r} was never assigned to this session; assigned: {known}") from None
