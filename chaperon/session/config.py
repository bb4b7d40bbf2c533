"""Configuration of a session: nested mappings, merged recursively, read by dotted keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chaperon.errors import ConfigMissing


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge *layers* recursively into a new dict; later values replace earlier ones."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            known = result.get(key)
            if isinstance(known, Mapping) and isinstance(value, Mapping):
                result[key] = merge(known, value)
            else:
                result[key] = merge(value) if isinstance(value, Mapping) else value
    return result


class Config(Mapping[str, Any]):
    """One session's configuration: `config["a.b"]` raises ConfigMissing, `config.get("a.b", default)` does not.

    Changes by `update` are visible to this session only, and to tasks that it spawns later.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def update(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Merge *values* in, deeply: `config.update(size=3)`, `config.update({"basket.size": 3})`."""
        self._values = merge(self._values, *(nest(key, value) for key, value in (values or {}).items()), more)

    def with_values(self, values: Mapping[str, Any] | None) -> Config:
        """Return an independent copy with *values* merged in."""
        inner = Config(self._values)
        if values:
            inner.update(values)
        return inner

    def __getitem__(self, key: str) -> Any:
        value: Any = self._values
        for part in key.split("."):
            if not isinstance(value, Mapping) or part not in value:
                raise ConfigMissing(
                    f"no configuration for {key!r}: give it in the environment or with --set {key}=VALUE"
                )
            value = value[part]
        return merge(value) if isinstance(value, Mapping) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Config of {', '.join(self._values) or 'nothing'}>"


def nest(key: str, value: Any) -> dict[str, Any]:
    """Return nested mappings for a dotted key: `nest("a.b", 1)` is `{"a": {"b": 1}}`."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)
