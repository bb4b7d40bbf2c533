"""Removes secrets from the windows of a worker before they are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorCount, ErrorKey, Window
from chaperon.report.redaction.redaction import Redactor
from chaperon.report.texts import map_window_texts

NAMES_CACHED = 10_000
"""How many names are cached with their redacted form: the same names recur every second."""


class WindowRedactor:
    """A function of windows that replaces the secrets it knows.

    Messages, notes and events go through *texts*, which replaces all known secrets and what
    looks like one. Names and tags of series are left as they are, since limits select by them,
    except for secrets that *shared* does not accept: the master does not know those and could not
    replace them in its report. Series that have the same name afterwards are merged exactly.
    """

    def __init__(self, texts: Redactor, shared: Callable[[str], bool]) -> None:
        self._texts = texts
        self._shared = shared
        self._known: set[str] = set()
        self._unshared = Redactor()
        self._names: dict[str, str] = {}
        self.unshared: set[str] = set()

    def __repr__(self) -> str:
        return f"<WindowRedactor of {len(self._known)} secrets, {len(self.unshared)} unknown to the master>"

    def text(self, text: str) -> str:
        """Return *text* without known secrets and without what looks like one."""
        return self._texts(text)

    def name(self, name: str) -> str:
        """Return the name of a series as it is sent: without the secrets that the master does not know."""
        return self._name(name) if self.unshared else name

    def add(self, secrets: Iterable[str]) -> bool:
        """Add secrets; return whether any of them is new."""
        new = set(secrets) - self._known
        if not new:
            return False
        self._known |= new
        self._texts.add(new)
        unshared = {secret for secret in new if not self._shared(secret)}
        if unshared:
            self.unshared |= unshared
            self._unshared.add(unshared)
            self._names.clear()
        return True

    def __call__(self, window: Window) -> Window:
        """Return *window* without secrets."""
        window = map_window_texts(window, self._texts)
        if not self.unshared:
            return window
        return replace(
            window,
            series=self._series(window),
            errors=self._errors(window),
            exchanges=tuple(
                replace(each, series=self._name(each.series), error=self._name(each.error)) for each in window.exchanges
            ),
        )

    def _series(self, window: Window) -> dict[Key, Series]:
        parts: dict[Key, list[Series]] = {}
        for key, series in window.series.items():
            tags = tuple((self._name(name), self._name(value)) for name, value in key.tags)
            parts.setdefault(key._replace(name=self._name(key.name), tags=tags), []).append(series)
        return {key: Series.sum_of(same) for key, same in parts.items()}

    def _errors(self, window: Window) -> dict[ErrorKey, ErrorCount]:
        merged: dict[ErrorKey, ErrorCount] = {}
        for (scenario, name, error), count in window.errors.items():
            where = scenario, self._name(name), self._name(error)
            known = merged.get(where)
            if known is None:
                merged[where] = replace(count)
            else:
                known.add(count)
        return merged

    def _name(self, name: str) -> str:
        hidden = self._names.get(name)
        if hidden is None:
            if len(self._names) >= NAMES_CACHED:
                self._names.clear()
            hidden = self._names[name] = self._unshared.hide_known(name)
        return hidden
