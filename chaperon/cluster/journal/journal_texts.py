"""The texts of a journal: what is written to a file holds no secret, and names can still be restored in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from chaperon.measure.sample import Key
from chaperon.measure.window import Window
from chaperon.report.texts import map_fields

MARK = "\0"
"""Stands between the redacted form of a name and its number from 1 on, or between a text that holds it and 0."""
MOST = 50_000
"""How many names are numbered; of further ones only the redacted form is recovered."""
NAMES_CACHED = 20_000

Change = Callable[[str], str]


def _same(text: str) -> str:
    return text


class JournalTexts:
    """Redacts texts before they are written to a journal.

    *redact* removes secrets from a text. Limits select series by their names, so a name with a secret is
    written as its redacted form, MARK and a number, and *send_name* gets the number and *wire_name(name)*, for the
    memory of the process that recovers the journal: see `HiddenNames`. *update* adds secrets found meanwhile
    to both functions and returns whether there are any.
    """

    def __init__(
        self,
        redact: Change = _same,
        wire_name: Change = _same,
        send_name: Callable[[int, str], object] = lambda number, name: None,
        update: Callable[[], bool] = lambda: False,
    ) -> None:
        self._redact = redact
        self._wire_name = wire_name
        self._send_name = send_name
        self._update = update
        self._numbers: dict[str, int] = {}
        self._written: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<JournalTexts, {len(self._numbers)} names with secrets>"

    def text(self, text: str) -> str:
        """Return a message, a note or an event without secrets, with MARK and 0 behind it if it holds MARK."""
        self._refresh()
        redacted = self._redact(text)
        return f"{redacted}{MARK}0" if MARK in redacted else redacted

    def name(self, name: str) -> str:
        """Return what is written of a name: itself, unless it holds a secret."""
        self._refresh()
        return self._name(name)

    def key(self, key: Key) -> Key:
        """Return what is written of a key; its kind stays."""
        self._refresh()
        return self._key(key)

    def window(self, window: Window) -> Window:
        """Return what is written of a window whose other texts are redacted; itself if no name has a secret."""
        self._refresh()
        name = self._name
        if all(name(text) is text for text in _names_of(window)):
            return window
        return replace(
            window,
            series={self._key(key): series for key, series in window.series.items()},
            ledger={(name(label), second): counts for (label, second), counts in window.ledger.items()},
            errors={(name(a), name(b), name(c)): count for (a, b, c), count in window.errors.items()},
            progress={name(share): counts for share, counts in window.progress.items()},
            phases={(name(label), name(phase)): span for (label, phase), span in window.phases.items()},
            due={name(label): span for label, span in window.due.items()},
            exchanges=tuple(
                replace(each, scenario=name(each.scenario), series=name(each.series), error=name(each.error))
                for each in window.exchanges
            ),
        )

    def _refresh(self) -> None:
        if self._update():
            self._written.clear()

    def _key(self, key: Key) -> Key:
        tags = tuple([(self._name(name), self._name(value)) for name, value in key.tags])
        return Key(self._name(key.scenario), self._name(key.name), key.kind, self._name(key.phase), tags)

    def _name(self, name: str) -> str:
        written = self._written.get(name)
        if written is None:
            if len(self._written) >= NAMES_CACHED:
                self._written.clear()
            written = self._written[name] = self._write(name)
        return written

    def _write(self, name: str) -> str:
        hidden = self._redact(name)
        if hidden == name and MARK not in name:
            return name
        hidden = hidden.replace(MARK, "\\0")
        number = self._numbers.get(name)
        if number is None:
            if len(self._numbers) >= MOST:
                return hidden
            number = self._numbers[name] = len(self._numbers) + 1
        self._send_name(number, self._wire_name(name))
        return f"{hidden}{MARK}{number}"


class HiddenNames:
    """The names with secrets in one engine's journal, by number, in the memory of its supervisor."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def __repr__(self) -> str:
        return f"<HiddenNames: {len(self._names)}>"

    def add(self, number: int, name: str) -> None:
        """Add a name, or replace the one that had its number."""
        if 0 < number <= MOST:
            self._names[number] = name

    def restore(self, window: Window) -> Window:
        """Return a recovered window with its names, the same object if it has no hidden one."""
        return map_fields(window, self._restored)

    def _restored(self, text: str) -> str:
        hidden, mark, number = text.rpartition(MARK)
        if not mark or not number.isdecimal() or len(number) > 8:
            return text
        return self._names.get(int(number), hidden)


def _names_of(window: Window) -> Iterator[str]:
    for scenario, name, _, phase, tags in window.series:
        yield from (scenario, name, phase)
        for tag in tags:
            yield from tag
    for where in window.errors:
        yield from where
    for label, _ in window.ledger:
        yield label
    for pair in window.phases:
        yield from pair
    yield from window.progress
    yield from window.due
    for each in window.exchanges:
        yield from each.place
