"""Values that a scenario assigns to a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chaperon.errors import NotAssigned


class State(dict[str, Any]):
    """A dict whose entries can be read as attributes too: `session.assigned.token`.

    A namespace is a State within it: `session.assigned.basket.size`.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def __missing__(self, name: str) -> Any:
        known = ", ".join(sorted(self)) or "nothing"
        raise NotAssigned(f"{name!r} was never assigned to this session; assigned: {known}")

    def copied(self) -> State:
        """Return a copy for a session of its own: namespaces are copied, values are shared."""
        return State((name, value.copied() if isinstance(value, State) else value) for name, value in self.items())


class StateMethods:
    """Values of a session, by name or by namespace and name."""

    assigned: State

    def assign(self, namespace: str | None = None, /, **values: Any) -> None:
        """Store *values*, to be read as `session.assigned.name` or `session.assigned["name"]`.

        In a *namespace* they are `session.assigned.namespace.name`.
        """
        if namespace is None:
            self.assigned.update(values)
            return
        space = self.assigned.get(namespace)
        if not isinstance(space, State):
            space = self.assigned[namespace] = State()
        space.update(values)

    def update_assign(self, namespace: str | None = None, /, **changes: Callable[[Any], Any]) -> None:
        """Change what is assigned: `session.update_assign(counter=lambda n: n + 1)`.

        Every function gets the value from before the call. Raises NotAssigned.
        """
        space = self._space(namespace)
        space.update({name: change(space[name]) for name, change in changes.items()})

    def delete_assign(self, *path: str) -> None:
        """Delete a value, or one in a namespace: `delete_assign("basket", "size")`. Raises NotAssigned."""
        *namespace, name = path
        space = self._space(*namespace)
        space[name]
        del space[name]

    def _space(self, namespace: str | None = None) -> Any:
        return self.assigned if namespace is None else self.assigned[namespace]
