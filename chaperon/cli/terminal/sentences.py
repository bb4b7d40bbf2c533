"""Sentences of a result, wrapped at words where the stream is a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap

from chaperon.cli.terminal.ascii_signs import spelled
from chaperon.cli.terminal.lines import print_line

NARROWEST = 20
UNWRAPPED = 100_000
"""Columns where the stream is no terminal: a line is for a program then."""


def print_sentence(sign: str, sentence: str, *, err: bool) -> None:
    """Print a sentence after a sign, on standard output or standard error. Raises OSError."""
    stream = sys.stderr if err else sys.stdout
    terminal = stream is not None and stream.isatty()
    width = max(shutil.get_terminal_size().columns, NARROWEST) if terminal else UNWRAPPED
    encoding = getattr(stream, "encoding", None)
    sign, sentence = spelled(sign, encoding), spelled(sentence, encoding)
    lines = textwrap.wrap(sentence, width, initial_indent=sign, subsequent_indent="  ", break_long_words=False)
    for line in lines:
        print_line(line, err=err)
