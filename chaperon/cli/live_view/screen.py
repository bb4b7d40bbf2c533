"""The lines at the bottom of a terminal that are drawn anew in place, with what is printed above them."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import StringIO
from typing import Any, TextIO

from rich.color import ColorSystem
from rich.text import Text

from chaperon.cli.terminal.console import CleanConsole, clean_texts

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
# DEC private mode 2026, synchronized output: a terminal that knows it shows all between the two at once
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
NO_WRAP, WRAP = "\x1b[?7l", "\x1b[?7h"
TO_END_OF_LINE, TO_END_OF_SCREEN = "\x1b[K", "\x1b[J"
USUAL = (80, 24)
WIDE = 1_000
"""Columns of the console that turns lines into text; they are cut to the terminal before."""
OFTEN = 0.1
"""Seconds between two drawings because of lines that were printed above."""


class Terminal:
    """The terminal that *stream* writes to, written to without the stream's buffer: a signal handler may write, too."""

    def __init__(self, stream: TextIO) -> None:
        stream.flush()
        self.fd = stream.fileno()
        self._encoding = stream.encoding

    def __repr__(self) -> str:
        return f"<Terminal of descriptor {self.fd}>"

    @property
    def size(self) -> tuple[int, int]:
        """The columns and lines; 80 × 24 where the terminal does not say."""
        try:
            columns, lines = os.get_terminal_size(self.fd)
        except OSError:
            return USUAL
        return columns or USUAL[0], lines or USUAL[1]

    @property
    def writable(self) -> bool:
        """Whether it accepts more output now; where it does not, writing would block."""
        try:
            return bool(select.select([], [self.fd], [], 0)[1])
        except (OSError, ValueError):
            return True

    def write(self, text: str) -> None:
        """Write *text*; blocks where the terminal does not accept it. Raises OSError."""
        left = memoryview(text.encode(self._encoding, "backslashreplace"))
        while left:
            left = left[os.write(self.fd, left) :]


class Screen:
    """Draws lines at the cursor of a terminal, and prints above them. *now* is a clock in seconds.

    It never scrolls by drawing, except once to make room: give it at most one line less than the terminal has; none
    is wrapped. Each drawing is one write. Methods raise OSError as the terminal does.
    """

    def __init__(self, terminal: Terminal, now: Callable[[], float]) -> None:
        self._terminal = terminal
        self._now = now
        self._renderer = CleanConsole(StringIO(), width=WIDE)
        self._lines: list[str] = []
        self._widths: list[int] = []
        self._drawn = False
        self._drawn_at = -OFTEN
        self.shown = False

    def __repr__(self) -> str:
        return f"<Screen with {len(self._lines)} lines{'' if self.shown else ', hidden'}>"

    def draw(self, lines: Sequence[Text]) -> None:
        """Draw *lines* in place of those drawn before."""
        erased = self._erased()
        clean = clean_texts(lines)
        self._lines = [self._ansi(line) for line in clean]
        self._widths = [line.cell_len for line in clean]
        self._terminal.write(f"{BEGIN}{erased}{HIDE_CURSOR}{self._body()}{END}")
        self.shown = True

    def write_above(self, text: str) -> None:
        """Print *text*, whole lines, above what is drawn."""
        erased = self._erased()
        if self.shown and self._now() - self._drawn_at >= OFTEN:
            self._terminal.write(f"{BEGIN}{erased}{text}{self._body()}{END}")
        else:  # drawn again by `redraw`
            self._drawn = False
            self._terminal.write(f"{erased}{text}")

    def redraw(self) -> None:
        """Draw what was erased by `write_above`, if anything was."""
        if self.shown and not self._drawn:
            self._terminal.write(f"{BEGIN}{self._body()}{END}")

    def hide(self) -> None:
        """Erase what is drawn and show the cursor."""
        erased = self._erased()
        was_shown, self.shown, self._drawn = self.shown, False, False
        if was_shown:
            self._terminal.write(f"{erased}{WRAP}{SHOW_CURSOR}")

    def forget(self) -> None:
        """Leave what is drawn where it is, since the terminal has shown something else below it."""
        self.shown = self._drawn = False

    def _erased(self) -> str:
        """Return what erases the drawn lines: the terminal may have become narrower and have wrapped them."""
        if not self._drawn:
            return ""
        columns, height = self._terminal.size
        rows = sum(max(-(-width // columns), 1) for width in self._widths)
        up = min(rows - 1, height - 1)
        return f"\r\x1b[{up}A{TO_END_OF_SCREEN}" if up > 0 else f"\r{TO_END_OF_SCREEN}"

    def _body(self) -> str:
        self._drawn = True
        self._drawn_at = self._now()
        return NO_WRAP + f"{TO_END_OF_LINE}\r\n".join(self._lines) + TO_END_OF_LINE + WRAP

    def _ansi(self, line: Text) -> str:
        parts = []
        for segment in line.render(self._renderer):
            style = segment.style
            parts.append(style.render(segment.text, color_system=ColorSystem.STANDARD) if style else segment.text)
        return "".join(parts)


class StreamAbove:
    """A text stream that prints whole lines above a screen; all other attributes are those of *stream*."""

    def __init__(self, stream: TextIO, screen: Screen) -> None:
        self._stream = stream
        self._screen = screen
        self._rest = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Print the complete lines, keep the rest. Raises OSError as the stream does."""
        lines, newline, rest = f"{self._rest}{text}".rpartition("\n")
        self._rest = rest
        if newline:
            self._screen.write_above(lines + newline)
        return len(text)

    def flush(self) -> None:
        """Do nothing: complete lines are written at once."""

    def close_line(self) -> None:
        """Print an incomplete line that is kept."""
        rest, self._rest = self._rest, ""
        if rest:
            with suppress(OSError, ValueError):
                self._screen.write_above(f"{rest}\n")
