"""Signals of job control and of the window's size, while the live view is shown."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_Handler = Callable[[int, "FrameType | None"], None]


@contextmanager
def job_signals(
    *, restore: Callable[[], None], return_to: Callable[[], None], resized: Callable[[], None]
) -> Iterator[None]:
    """Keep the terminal usable while the block runs.

    Before the process stops (Ctrl-Z) or dies by Ctrl-backslash, *restore* is called; after it continues, *return_to*;
    after a change of the window's size, *resized*. All three are called in a signal handler, at any point of the
    program. A process in the background is not stopped for writing to the terminal or reading from it.
    """

    def on_end(number: int, frame: FrameType | None) -> None:
        restore()
        handler = signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # stops here until SIGCONT, or ends
        signal.signal(number, handler)
        return_to()

    wanted: dict[int, _Handler | signal.Handlers] = {
        signal.SIGTSTP: on_end,
        signal.SIGQUIT: on_end,
        signal.SIGCONT: lambda number, frame: return_to(),
        signal.SIGWINCH: lambda number, frame: resized(),
        signal.SIGTTOU: signal.SIG_IGN,
        signal.SIGTTIN: signal.SIG_IGN,
    }
    before = {number: signal.getsignal(number) for number in wanted}
    for number, handler in wanted.items():
        if before[number] is signal.SIG_DFL:  # what is ignored, or handled by the author, stays so
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number in wanted:
            if before[number] is signal.SIG_DFL:
                signal.signal(number, signal.SIG_DFL)
