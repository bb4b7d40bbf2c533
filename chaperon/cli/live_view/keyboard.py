"""The keyboard of a terminal: single keys without echo, in the foreground only, and the usual mode afterwards."""

from __future__ import annotations

import os
import re
import termios
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TextIO

# ECMA-48 control sequences, SS3 and Alt combinations: keys such as the arrows, which have no meaning here
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
READ = 1_024
"""Bytes read at once."""


def is_foreground(fd: int) -> bool:
    """Return whether this process may use the terminal *fd*: its process group is in the foreground.

    A terminal that is not the controlling one does not stop processes, and may always be used.
    """
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return True


class Keyboard:
    """The keys of the terminal that *stream* is. Entering and leaving may be repeated."""

    def __init__(self, stream: TextIO | None) -> None:
        self.fd: int | None = None
        self._usual: list[Any] | None = None
        with suppress(OSError, ValueError, AttributeError):
            if stream is not None and stream.isatty():
                self.fd = stream.fileno()

    def __repr__(self) -> str:
        return f"<Keyboard {'of nothing' if self.fd is None else f'of descriptor {self.fd}'}, {self.active=}>"

    @property
    def active(self) -> bool:
        """Whether single keys are read now."""
        return self._usual is not None

    def enter(self) -> None:
        """Read single keys from now on, without echo, if the process is in the foreground of a terminal."""
        if self.fd is None or self.active or not is_foreground(self.fd):
            return
        with suppress(termios.error, OSError):
            usual = termios.tcgetattr(self.fd)
            single = termios.tcgetattr(self.fd)
            single[3] &= ~(termios.ICANON | termios.ECHO)
            single[0] &= ~termios.IXON  # Ctrl-S would block the next write, and with it the load
            single[6][termios.VMIN], single[6][termios.VTIME] = 1, 0
            termios.tcsetattr(self.fd, termios.TCSANOW, single)
            self._usual = usual

    def leave(self) -> None:
        """Restore the usual mode. In the background the terminal is another process's: its mode is left alone."""
        usual, self._usual = self._usual, None
        if usual is not None and self.fd is not None and is_foreground(self.fd):
            with suppress(termios.error, OSError):
                termios.tcsetattr(self.fd, termios.TCSANOW, usual)

    def forget(self) -> None:
        """Count as left, since another process has set the mode."""
        self._usual = None

    def read(self) -> str | None:
        """Return the characters typed; "" if none are of use, None if the terminal is closed. Call it when readable."""
        assert self.fd is not None
        try:
            typed = os.read(self.fd, READ)
        except BlockingIOError:
            return ""
        except OSError:
            return "" if not is_foreground(self.fd) else None
        return characters(typed) if typed else None


def characters(typed: bytes) -> str:
    """Return the printable characters of what was typed, without the sequences of special keys."""
    plain = _SEQUENCE.sub(b"", typed).decode("utf-8", "ignore")
    return "".join(char for char in plain if char.isprintable())


def net_steps(typed: Sequence[str]) -> int:
    """Return how many steps up are asked for: the plus keys less the minus keys; "=" and "_" are the same keys."""
    return sum((char in "+=") - (char in "-_") for char in typed)
