"""The console that prints tables and the progress line, cleaned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from chaperon.cli.terminal.ascii_signs import spelled
from chaperon.cli.terminal.clean_stream import unwrapped
from chaperon.cli.terminal.clean_text import REDACT, clean_line, clean_lines


class CleanConsole(Console):
    """A Rich console that masks secrets and escapes control characters of the texts it renders.

    The control sequences that Rich adds for styles and cursor movements are kept.
    """

    def __init__(self, stream: TextIO, *, width: int | None = None) -> None:
        super().__init__(file=unwrapped(stream), width=width)

    def on_broken_pipe(self) -> None:
        """Raise the BrokenPipeError that is being handled: Rich would exit, in the middle of a run."""
        raise

    def render_str(self, text: str, **options: Any) -> Text:
        """Render *text* and clean it."""
        return _clean(super().render_str(text, **options), self.encoding)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the clean segments of *renderable*."""
        if isinstance(renderable, Text):
            renderable = _clean(renderable, self.encoding)
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:  # its line breaks are those of wrapping: a text has been cleaned before
                yield Segment("\n".join(map(clean_line, segment.text.split("\n"))), segment.style)


def clean_texts(lines: Sequence[Text]) -> list[Text]:
    """Return *lines* if they are clean, otherwise cleaned; all are looked through at once, which is faster."""
    whole = "\n".join(line.plain for line in lines)
    if REDACT(whole) == whole and all(line.plain.isprintable() for line in lines):
        return list(lines)
    return [_clean(line) for line in lines]


def _clean(text: Text, encoding: str | None = None) -> Text:
    """Return *text* if it is clean and can be encoded, otherwise a copy that is; its parts lose their styles."""
    clean = spelled(clean_lines(text.plain), encoding)
    if clean == text.plain:
        return text
    return Text(clean, text.style, justify=text.justify, overflow=text.overflow, no_wrap=text.no_wrap, end=text.end)
