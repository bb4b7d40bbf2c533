"""Short, encodable descriptions of exceptions, also of those whose `__str__` raises."""

from __future__ import annotations

import re

from chaperon.author_frames import raised_at
from chaperon.interrupts import class_of, is_interrupt
from chaperon.measure.plain_text import encodable

LONGEST_NAME = 100
LONGEST_TEXT = 2_000
"""Maximum lengths, in characters, of a class name and of an exception's text."""


_HINTS = (
    (
        "AttributeError",
        re.compile(r"'Session' object has no attribute 'client'"),
        'a session sends requests itself: session.get("/")',
    ),
    (
        "AttributeError",
        re.compile(r"'Response' object has no attribute '(failure|success)'"),
        'response.fail("no price") counts a response as bad; others are good below status 400, or as expect= says',
    ),
    (
        "TypeError",
        re.compile(r"unexpected keyword argument 'catch_response'"),
        'no response has to be caught: response.fail("no price") counts one as bad, expect= says which are good',
    ),
    (
        "RuntimeError",
        re.compile("asyncio.run.. cannot be called|event loop is already running|while another loop is running"),
        "all visits share one thread, which runs one event loop at a time: run yours in gevent's thread pool, "
        "gevent.get_hub().threadpool.apply(asyncio.run, (main(),))",
    ),
)
"""Errors of authors who know another tool: (class, text of the error, the way to write it here)."""


def class_name(exc: BaseException) -> str:
    """Return the name of the class of *exc*, encodable and at most 100 characters long."""
    return encodable(class_of(exc), LONGEST_NAME) or "(unnamed class)"


def text_of(exc: BaseException) -> str:
    """Return `str(exc)`, encodable and at most 2,000 characters long; if `str` raises, a text that says so.

    Raises only an interrupt (`chaperon.interrupts`), if one arrives while `str` waits.
    """
    try:
        return encodable(str(exc), LONGEST_TEXT)
    except BaseException as odd:
        if is_interrupt(odd):
            raise
        return f"(no text: its str() raised {class_name(odd)})"


def describe(exc: BaseException) -> str:
    """Return "Class: text", with a hint after the text if an author meant something that is written otherwise here."""
    name, text = class_name(exc), text_of(exc)
    hint = next((f"; {hint}" for kind, words, hint in _HINTS if kind == name and words.search(text)), "")
    return f"{name}: {text}{hint}"


def describe_at(exc: BaseException, what: str | None = None) -> str:
    """Return "KeyError: 'missing' (shop.py:2 in helper)": the description with the line of the author's code.

    *what* replaces the class and text of the exception.
    """
    place = raised_at(exc)
    return with_place(describe(exc) if what is None else what, "" if place is None else str(place), LONGEST_TEXT)


def with_place(text: str, where: str, most: int) -> str:
    """Return *text*, shortened so that *where* is shown in parentheses behind it, in at most *most* characters."""
    if not where:
        return encodable(text, most)
    where = encodable(where, LONGEST_NAME)
    return f"{encodable(text, most - len(where) - 3)} ({where})"
