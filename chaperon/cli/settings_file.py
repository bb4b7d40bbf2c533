"""Values of options in a file: chaperon.toml, or the table [tool.chaperon] of pyproject.toml."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from chaperon.errors import UsageError
from chaperon.lazy_dataclass import lazy_dataclass

FILE = "chaperon.toml"
PROJECT = "pyproject.toml"
PROFILES = "profile"
"""The key of the table of profiles; no option can have this name in a file."""

Words = Callable[[str, Any], Iterator[str]]
"""Yields the words that a name and its value in a table stand for, such as "late=100ms"."""


class FileValue(NamedTuple):
    """The value of one option as TOML gives it, with the place it is from."""

    value: Any
    source: str
    from_profile: bool


@lazy_dataclass(frozen=True)
class SettingsFile:
    """The content of a file: values by option, such as "run-file", and the same of each profile."""

    name: str
    values: Mapping[str, Any]
    profiles: Mapping[str, Mapping[str, Any]]

    def keys(self) -> Iterator[tuple[str, str]]:
        """Yield every key, with the place it is at."""
        yield from ((key, self.name) for key in self.values)
        for profile, values in self.profiles.items():
            yield from ((key, self._place(profile)) for key in values)

    def chosen(self, profile: str | None) -> dict[str, FileValue]:
        """Return the values by option, those of *profile* above the others. Raises UsageError."""
        found = {key: FileValue(value, self.name, False) for key, value in self.values.items()}
        if profile is None:
            return found
        if profile not in self.profiles:
            names = sorted(self.profiles)
            there = f"there {'is' if len(names) == 1 else 'are'} {', '.join(names)}" if names else "there are none"
            raise UsageError(f"no profile {profile!r} in {self.name}: {there}")
        place = self._place(profile)
        return {**found, **{key: FileValue(value, place, True) for key, value in self.profiles[profile].items()}}

    def _place(self, profile: str) -> str:
        return f"{self.name}, profile {profile}"


def read_settings(folder: Path) -> SettingsFile | None:
    """Return the settings in *folder*, None if it has none. Blocks on the file system. Raises UsageError."""
    own = _read(folder / FILE)
    project = (_read(folder / PROJECT, of_others=True) or {}).get("tool", {})
    table = project.get("chaperon") if isinstance(project, Mapping) else None
    if own is not None and table is not None:
        raise UsageError(
            f"there are settings in {FILE} and in [tool.chaperon] of {PROJECT}: keep them in one of the two"
        )
    if own is not None:
        within = own.get("tool")
        return _settings_file(FILE, within["chaperon"] if isinstance(within, Mapping) and "chaperon" in within else own)
    return None if table is None else _settings_file(PROJECT, table)


def words_of(key: str, given: FileValue, *, is_flag: bool, multiple: bool, table: Words | None) -> Any:
    """Return a value as the command line would give it: text, True or False, or a list of texts.

    *table* makes the words of a TOML table, for an option that has names and values. Raises UsageError.
    """
    value = given.value
    if is_flag:
        if not isinstance(value, bool):
            raise UsageError(f"{key} in {given.source} takes true or false, got {value!r}")
        return value
    if table is not None and isinstance(value, Mapping):
        items = [(name, each) for name, each in value.items()]
        try:
            return [word for name, each in items for word in table(name, each)]
        except TypeError as exc:
            raise UsageError(f"{key} in {given.source}: {exc}") from exc
    if multiple and isinstance(value, list):
        return [_word(key, each, given.source) for each in value]
    word = _word(key, value, given.source)
    return [word] if multiple else word


def joined_by(separator: str) -> Words:
    """Return the function that makes one word of a name and its value."""

    def words(name: str, value: Any) -> Iterator[str]:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise TypeError(f"{name} takes text, got {value!r}")
        yield f"{name}{separator}{value}"

    return words


def nested_settings(name: str, value: Any) -> Iterator[str]:
    """Yield KEY=VALUE for a setting, with dots for nested tables and JSON for the value, as --set reads them."""
    if isinstance(value, Mapping):
        for inner, each in value.items():
            yield from nested_settings(f"{name}.{inner}", each)
        return
    yield f"{name}={json.dumps(value)}"


def _word(key: str, value: Any, source: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise UsageError(f"{key} in {source} takes text or a number, got {value!r}")
    return str(value)


def _read(path: Path, *, of_others: bool = False) -> dict[str, Any] | None:
    """Return the content of a file, None if it is not there.

    That of a file *of_others* is only parsed if it may name Chaperon: it then does so as it is, or has an escape.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors write a byte order mark
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise UsageError(f"cannot read {path.name}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise UsageError(f"{path.name} is not TOML: {exc}") from exc
    if of_others and not ("chaperon" in text or "\\" in text):
        return None
    if sys.version_info >= (3, 11):
        import tomllib  # late: most folders have no such file
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(f"{path.name} is not TOML: {exc}") from exc


def _settings_file(name: str, table: Any) -> SettingsFile:
    values = _options(table, name)
    profiles = values.pop(PROFILES, {})
    if not isinstance(profiles, Mapping):
        raise UsageError(f"profile in {name} is a table of profiles, such as [tool.chaperon.profile.ci]")
    each = {profile: _options(given, f"{name}, profile {profile}") for profile, given in profiles.items()}
    return SettingsFile(name, values, each)


def _options(table: Any, place: str) -> dict[str, Any]:
    """Return the values by option, with dashes in their names as on the command line."""
    if not isinstance(table, Mapping):
        raise UsageError(f"{place}: expected a table of options, got {table!r}")
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        if name in found:
            raise UsageError(f"{name} is given twice in {place}")
        found[name] = value
    return found
