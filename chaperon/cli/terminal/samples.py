"""Prints the samples of `chaperon check` as they are recorded, with the author's lines of each exception."""

from __future__ import annotations

from chaperon.author_frames import Place, traceback_lines
from chaperon.cli.terminal.streams import INDENT, Styled, print_line
from chaperon.measure.sample import Sample
from chaperon.report.format import number_text, time_text


class SamplePrinter:
    """Prints every sample, until standard output is closed."""

    def __init__(self, *, with_label: bool, err: bool = False) -> None:
        self._err = err
        self._labelled = with_label
        self._readable = True

    def __call__(self, sample: Sample) -> None:
        """Print one sample. Never raises: the visit calls it."""
        if not self._readable:
            return
        try:
            print_line(*([f"{sample.key.scenario}: "] if self._labelled else []), *sample_line(sample), err=self._err)
            if sample.failure is not None and sample.failure.listed:
                print_trace(sample.failure.trace, sample.failure.message, err=self._err)
        except Exception:
            self._readable = False


def sample_line(sample: Sample) -> tuple[Styled, str]:
    """Return a sample as the parts of a line: a mark, then its time or value, its name and its error."""
    failure = sample.failure
    mark = Styled("ok  ", fg="green") if failure is None else Styled("FAIL", fg="red")
    figure = time_text(sample.took) if sample.value is None else number_text(sample.value)
    line = f" {figure:>8}  {sample.key.name}"
    if sample.bytes:
        line += f"  {sample.bytes:,} B"
    if failure is None:
        return mark, line
    if failure.listed and failure.message:
        return mark, f"{line}  {failure.error}: {failure.message.removeprefix(f'{failure.error}: ')}"
    return mark, f"{line}  {failure.error}"


def print_trace(places: tuple[Place, ...], message: str, *, err: bool = False) -> None:
    """Print a traceback through the author's lines, indented, with *message* below; nothing without lines."""
    if places:
        for line in (*traceback_lines(places), message):
            print_line(INDENT, line, err=err)
