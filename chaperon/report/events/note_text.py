"""Notes of a report in words: each has its noun in the right number."""

from __future__ import annotations

SINGULAR = {
    "arrivals of": "arrival of",
    "attempts to join": "attempt to join",
    "combinations of tags": "combination of tags",
    "connections refused": "connection refused",
    "connections were opened outside the session": "connection was opened outside the session",
    "error classes beyond": "error class beyond",
    "failing requests that": "failing request that",
    "happenings beyond": "happening beyond",
    "journals of workers that died": "journal of a worker that died",
    "lost workers on": "lost worker on",
    "marks forgotten": "mark forgotten",
    "messages of another": "message of another",
    "messages that could": "message that could",
    "messages that were": "message that was",
    "names beyond": "name beyond",
    "names of series longer": "name of a series longer",
    "notes beyond": "note beyond",
    "requests were in flight": "request was in flight",
    "records a worker": "record a worker",
    "samples ": "sample ",
    "seconds in which": "second in which",
    "seconds not written": "second not written",
    "series that keep their name": "series that keeps its name",
    "sizes left out": "size left out",
    "visits begun by": "visit begun by",
    "visits that lost workers": "visit that a lost worker",
    "visits were in flight": "visit was in flight",
    "visits ended because": "visit ended because",
    "visits that a worker given up has made, and its": "visit that a worker given up has made, and its",
    "windows beyond": "window beyond",
    "windows more than": "window more than",
    "windows that came after their": "window that came after its",
    "windows that came twice": "window that came twice",
    "windows that could": "window that could",
    "windows that never": "window that never",
}
"""The beginnings of notes that count something: of each in the plural, the singular."""
_COUNTS = ("failure to ", "of ")
"""The beginnings of notes that have the same words after any number."""


def note_text(note: str, times: int) -> str:
    """Return a note with its number: "1 sample refused", "2 samples refused".

    A note that counts nothing, such as a sentence of `running.note`, has a number only if it came several times.
    """
    plural = next((each for each in SINGULAR if note.startswith(each)), None)
    if plural is not None:
        if times != 1:
            return f"{times:,} {note}"
        rest = note.removeprefix(plural).replace(" and are in no ", " and is in no ").replace(": their ", ": its ")
        return f"1 {SINGULAR[plural]}{rest}"
    if note.startswith(_COUNTS):
        return f"{times:,} {note}"
    return note if times == 1 else f"{times:,} × {note}"
