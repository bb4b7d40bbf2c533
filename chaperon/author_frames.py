"""The lines of an author's code in a stack or a traceback: those of no library and not of Chaperon."""

from __future__ import annotations

import linecache
import os
from collections.abc import Sequence
from functools import lru_cache
from types import FrameType
from typing import NamedTuple

from chaperon.interrupts import traceback_of

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_COMPILED = "chaperon" + os.sep
"""How the file names of compiled modules begin: mypyc gives their frames relative names."""
_PYTHON = os.path.dirname(os.__file__) + os.sep
"""The folder of Python's own modules."""
_LIBRARIES = tuple(os.sep + folder + os.sep for folder in ("site-packages", "dist-packages"))
"""Folders of installed packages, wherever they lie."""
_EXTENSION_SOURCES = (".pyx", ".pxd", ".pxi")
"""Suffixes of source files that Cython compiles; it also compiles files that end in ".py"."""
MOST_FRAMES = 500
"""Maximum number of frames of a stack or traceback that are looked at."""


class Place(NamedTuple):
    """A line of code; its text is "shop.py:2 in helper"."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}:{self.line} in {self.function}"


@lru_cache(maxsize=4096)
def is_author_file(file: str) -> bool:
    """Return whether a code object's file name is that of an author's file: no library's, and not Chaperon's."""
    if file.startswith(("<", _PACKAGE, _COMPILED)) or _is_of_extension(file):
        return False
    return not (file.startswith(_PYTHON) or any(folder in file for folder in _LIBRARIES))


def _is_of_extension(file: str) -> bool:
    """Return whether *file* names the source of an extension module, such as Cython's "src/gevent/greenlet.py".

    Extension modules have relative names of files that lie only where the module was built.
    """
    if os.path.isabs(file):
        return file.endswith(_EXTENSION_SOURCES)
    return (os.sep in file or file.endswith(_EXTENSION_SOURCES)) and not os.path.exists(file)


def author_frames(frame: FrameType | None) -> list[FrameType]:
    """Return the author's frames of a stack, innermost first; *frame* is its innermost frame."""
    found: list[FrameType] = []
    for _ in range(MOST_FRAMES):
        if frame is None:
            break
        if is_author_file(frame.f_code.co_filename):
            found.append(frame)
        frame = frame.f_back
    return found


def author_places(exc: BaseException, own: str = "") -> list[Place]:
    """Return the author's lines on the way from the handler of *exc* to where it was raised, that one last.

    *own* is a file that is the author's wherever it lies. Of a long traceback, such as that of a
    RecursionError, the innermost `MOST_FRAMES` count.
    """
    trace, found = traceback_of(exc), []
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == own or is_author_file(code.co_filename):
            found.append(Place(code.co_filename, trace.tb_lineno or code.co_firstlineno, code.co_name))
        trace = trace.tb_next
    return found[-MOST_FRAMES:]


def traceback_lines(places: Sequence[Place]) -> list[str]:
    """Return the lines that Python prints of a traceback through *places*, without the exception."""
    lines = []
    for place in places:
        lines.append(f'  File "{place.file}", line {place.line}, in {place.function}')
        source = linecache.getline(place.file, place.line).strip()
        lines += [f"    {source}"] if source else []
    return ["Traceback (most recent call last):", *lines] if lines else []


def raised_at(exc: BaseException) -> Place | None:
    """Return the author's line that raised *exc*, or called the library that did; None if there is none."""
    places = author_places(exc)
    return places[-1] if places else None


def stack_text(frames: list[FrameType]) -> str:
    """Return the place and source of the innermost of *frames*, with the step that called it, the last of them."""
    inner, step = frames[0], frames[-1].f_code.co_name
    code = inner.f_code
    place = Place(code.co_filename, inner.f_lineno or code.co_firstlineno, code.co_name)  # f_lineno: None between lines
    source = linecache.getline(place.file, place.line).strip()
    within = "" if code.co_name == step else f", called by {step}"
    return f"{place}{within}{f': {source}' if source else ''}"


def blocking_line(frame: FrameType) -> str:
    """Return the author's line that runs in *frame*, or the line of *frame* itself if no frame is the author's."""
    return stack_text(author_frames(frame) or [frame])
